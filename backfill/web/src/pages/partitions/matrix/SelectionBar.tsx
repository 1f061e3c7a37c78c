/** What is chosen, as text that can be edited, and what can be done with it. */
import { X } from 'lucide-react'
import { useId, useState } from 'react'

import type { Schemas } from '@/api/client'
import { LaunchLink } from '@/pages/launch/LaunchLink'
import { Button } from '@/parts/Button'
import styles from './SelectionBar.module.css'

interface Props {
  set: string
  text: string | undefined
  picked: readonly string[] | undefined
  places: Schemas['Places'] | undefined
  error: Error | null
  onChange: (text: string | undefined) => void
  onUnpick: () => void
  actions?: React.ReactNode
}

export function SelectionBar({
  set,
  text,
  picked,
  places,
  error,
  onChange,
  onUnpick,
  actions,
}: Props) {
  const id = useId()
  const [typed, type] = useState({ of: text, text: text ?? '' })
  if (typed.of !== text) type({ of: text, text: text ?? '' })
  const enter = () => {
    const next = typed.text.trim() || undefined
    if (next !== text) onChange(next)
  }
  return (
    <section className={styles.bar} aria-label="Selection">
      <label htmlFor={id} className={styles.label}>
        Selection
      </label>
      <input
        id={id}
        type="text"
        className={`mono ${styles.text}`}
        value={typed.text}
        placeholder="drag over the matrix, or write: [2020-05-01...2020-05-07], failed"
        spellCheck={false}
        autoComplete="off"
        aria-invalid={error !== null}
        aria-describedby={`${id}-told`}
        onChange={({ target }) => type({ of: text, text: target.value })}
        onKeyDown={(event) => event.key === 'Enter' && enter()}
        onBlur={enter}
      />
      {text && (
        <Button kind="quiet" small onClick={() => onChange(undefined)} aria-label="Choose nothing">
          <X size={15} aria-hidden />
        </Button>
      )}
      {picked && (
        <span className={styles.picked}>
          only {picked.length === 1 ? picked[0] : `${picked.length} steps`}
          <button type="button" onClick={onUnpick} aria-label="All steps">
            <X size={13} aria-hidden />
          </button>
        </span>
      )}
      {actions}
      <LaunchLink
        primary
        words={places ? `Launch ${places.count.toLocaleString()}` : 'Launch backfill'}
        search={{
          set,
          ...(text ? { select: text } : {}),
          ...(picked ? { step: [...picked] } : {}),
        }}
      />
      <span
        id={`${id}-told`}
        className={error ? `error-text ${styles.told}` : 'visually-hidden'}
        role="status"
      >
        {error ? error.message : places ? `${places.count} partitions are chosen.` : ''}
      </span>
    </section>
  )
}
