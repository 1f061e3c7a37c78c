/** Fields of the launch form. */
import { useId, useState, type ReactNode } from 'react'

import styles from './launch.module.css'

/** A part of the form that is folded away until it is wanted; says what is set in it. */
export function Folded({
  title,
  told,
  open,
  children,
}: {
  title: string
  /** What is set, in a few words; or what it is for. */
  told: string
  /** Whether it begins unfolded. */
  open: boolean
  children: ReactNode
}) {
  return (
    <details className={styles.folded} open={open}>
      <summary>
        <h2>{title}</h2>
        <span className={styles.told}>{told}</span>
      </summary>
      <div className={styles.inside}>{children}</div>
    </details>
  )
}

/** A whole number; empty means that it is not given. */
export function NumberField({
  label,
  help,
  value,
  onChange,
  least = 0,
  most,
  placeholder,
}: {
  label: string
  help?: string
  value: number | undefined
  onChange: (value: number | undefined) => void
  least?: number
  most?: number
  placeholder?: string
}) {
  const id = useId()
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        type="number"
        inputMode="numeric"
        min={least}
        max={most}
        step={1}
        placeholder={placeholder}
        value={value ?? ''}
        aria-describedby={help ? `${id}-help` : undefined}
        onChange={(event) => {
          const next = event.target.valueAsNumber
          if (Number.isNaN(next)) onChange(undefined)
          else if (Number.isInteger(next) && next >= least) onChange(Math.min(next, most ?? next))
        }}
      />
      {help && (
        <span id={`${id}-help`} className="small soft">
          {help}
        </span>
      )}
    </div>
  )
}

/** One of a few words. */
export function SelectField<T extends string>({
  label,
  value,
  options,
  onChange,
}: {
  label: string
  value: T
  options: readonly (readonly [T, string])[]
  onChange: (value: T) => void
}) {
  const id = useId()
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <select id={id} value={value} onChange={(event) => onChange(event.target.value as T)}>
        {options.map(([one, words]) => (
          <option key={one} value={one}>
            {words}
          </option>
        ))}
      </select>
    </div>
  )
}

/** Texts, one a line. */
export function LinesField({
  label,
  help,
  placeholder,
  value,
  onChange,
}: {
  label: string
  help?: ReactNode
  placeholder: string
  value: readonly string[] | undefined
  onChange: (value: string[] | undefined) => void
}) {
  const id = useId()
  const given = value?.join('\n') ?? ''
  const [typed, type] = useState(given)
  if (linesOf(typed).join('\n') !== given) type(given) // changed from elsewhere
  return (
    <div className={`field ${styles.wide}`}>
      <label htmlFor={id}>{label}</label>
      <textarea
        id={id}
        rows={Math.max(2, (value?.length ?? 0) + 1)}
        spellCheck={false}
        placeholder={placeholder}
        value={typed}
        onChange={(event) => {
          const lines = linesOf(event.target.value)
          type(event.target.value)
          onChange(lines.length ? lines : undefined)
        }}
      />
      {help && <span className="small soft">{help}</span>}
    </div>
  )
}

function linesOf(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean)
}

export function CheckField({
  label,
  checked,
  onChange,
}: {
  label: ReactNode
  checked: boolean
  onChange: (checked: boolean) => void
}) {
  return (
    <label className="row">
      <input
        type="checkbox"
        checked={checked}
        onChange={(event) => onChange(event.target.checked)}
      />
      {label}
    </label>
  )
}
