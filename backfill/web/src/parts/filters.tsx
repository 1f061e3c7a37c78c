/** Filters of lists: states to switch on and off, and texts that are asked for when entered. */
import { X } from 'lucide-react'
import { useId, useState, type ReactNode } from 'react'

import styles from './filters.module.css'
import { lookOf, StateMark } from './StateMark'

/** A row of filters; `onClear` is shown when something is filtered. */
export function Filters({
  label,
  onClear,
  children,
}: {
  label: string
  onClear: (() => void) | null
  children: ReactNode
}) {
  return (
    <div className={styles.filters} role="search" aria-label={label}>
      {children}
      {onClear && (
        <button type="button" className={styles.clear} onClick={onClear}>
          <X size={14} aria-hidden />
          Clear
        </button>
      )}
    </div>
  )
}

/** States, each on or off; none on means all. */
export function StateFilter<T extends string>({
  states,
  chosen,
  onChange,
}: {
  states: readonly T[]
  chosen: readonly T[] | undefined
  onChange: (chosen: T[] | undefined) => void
}) {
  const on = new Set(chosen)
  const toggle = (state: T) => {
    const next = states.filter((one) => (one === state ? !on.has(one) : on.has(one)))
    onChange(next.length ? next : undefined)
  }
  return (
    <div className={styles.states} role="group" aria-label="States">
      {states.map((state) => (
        <button
          key={state}
          type="button"
          className={styles.state}
          aria-pressed={on.has(state)}
          onClick={() => toggle(state)}
        >
          <StateMark state={state} />
          {lookOf(state).word}
        </button>
      ))}
    </div>
  )
}

/** A text to filter by: asked for on Enter, and when the field is left. */
export function TextFilter({
  label,
  value,
  onChange,
  options,
  placeholder,
  width = 150,
}: {
  label: string
  value: string | undefined
  onChange: (value: string | undefined) => void
  options?: readonly string[]
  placeholder?: string
  /** In pixels. */
  width?: number
}) {
  const id = useId()
  const [typed, type] = useState({ of: value, text: value ?? '' })
  if (typed.of !== value) type({ of: value, text: value ?? '' })
  const enter = (text: string) => {
    const next = text.trim() || undefined
    if (next !== value) onChange(next)
  }
  return (
    <div className={styles.field}>
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        type="text"
        style={{ width }}
        value={typed.text}
        placeholder={placeholder ?? 'any'}
        list={options?.length ? `${id}-options` : undefined}
        autoComplete="off"
        spellCheck={false}
        onChange={(event) => {
          type({ of: value, text: event.target.value })
          if (options?.includes(event.target.value)) enter(event.target.value)
        }}
        onKeyDown={(event) => event.key === 'Enter' && enter(typed.text)}
        onBlur={() => enter(typed.text)}
      />
      {options?.length ? (
        <datalist id={`${id}-options`}>
          {options.map((option) => (
            <option key={option} value={option} />
          ))}
        </datalist>
      ) : null}
    </div>
  )
}

/** A moment in the viewer's zone to filter by. */
export function TimeFilter({
  label,
  value,
  onChange,
}: {
  label: string
  value: string | undefined
  onChange: (value: string | undefined) => void
}) {
  const id = useId()
  return (
    <div className={styles.field}>
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        type="datetime-local"
        value={value ?? ''}
        onChange={(event) => onChange(event.target.value || undefined)}
      />
    </div>
  )
}
