/** One of a few, each with what it means. */
import { useId, type ReactNode } from 'react'

import styles from './Choice.module.css'

export interface Option<T extends string> {
  value: T
  label: ReactNode
  help?: ReactNode
}

export function Choice<T extends string>({
  label,
  value,
  options,
  onChange,
  inline = false,
}: {
  label: string
  value: T
  options: readonly Option<T>[]
  onChange: (value: T) => void
  inline?: boolean
}) {
  const name = useId()
  return (
    <fieldset className={`${styles.choice} ${inline ? styles.inline : ''}`}>
      <legend>{label}</legend>
      {options.map((option) => (
        <label key={option.value} className={styles.option}>
          <input
            type="radio"
            name={name}
            checked={option.value === value}
            onChange={() => onChange(option.value)}
          />
          <span>
            {option.label}
            {option.help && <span className={styles.help}>{option.help}</span>}
          </span>
        </label>
      ))}
    </fieldset>
  )
}
