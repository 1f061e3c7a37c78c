import { useId } from 'react'

import { CheckField, Folded, LinesField } from './fields'
import styles from './launch.module.css'
import type { SectionProps } from './LaunchPage'

/** What others shall know of it. */
export function LabelSection({ form, change }: SectionProps) {
  const id = useId()
  const told = [form.tag?.join(', '), form.note].filter(Boolean).join(' · ')
  return (
    <Folded title="Tags and note" told={told || 'none'} open={told !== ''}>
      <LinesField
        label="Tags"
        placeholder={'team=finance\nticket=DATA-12'}
        help="One a line, name=value; every run has them."
        value={form.tag}
        onChange={(tag) => change({ tag })}
      />
      <div className={`field ${styles.wide}`}>
        <label htmlFor={id}>Note</label>
        <input
          id={id}
          type="text"
          placeholder="Why this backfill?"
          maxLength={10_000}
          value={form.note ?? ''}
          onChange={(event) => change({ note: event.target.value || undefined })}
        />
      </div>
      <CheckField
        label="Quiet: the hooks of its runs are not called"
        checked={form.quiet ?? false}
        onChange={(on) => change({ quiet: on || undefined })}
      />
    </Folded>
  )
}
