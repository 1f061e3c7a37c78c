import { useId } from 'react'

import type { ApiProblem } from '@/api/client'
import { Choice } from '@/parts/Choice'
import styles from './launch.module.css'
import type { SectionProps } from './LaunchPage'
import { REPROCESS } from './search'
import { Strip } from './Strip'

const QUICK = ['all', 'last:7', 'last:30', 'missing', 'failed', 'stale', 'canceled'] as const
const REPROCESS_HELP: Record<(typeof REPROCESS)[number], string> = {
  missing: 'all that have not succeeded',
  failed: 'those whose last run failed',
  all: 'all, also what succeeded',
  stale: 'those made by older code',
}

/** Which partitions of which set: as text, by drawing on the strip, by statuses. */
export function SelectionSection({
  form,
  change,
  sets,
  problem,
}: SectionProps & {
  sets: readonly { name: string; pipeline: string; description: string | null }[]
  problem: ApiProblem | null
}) {
  const id = useId()
  const set = sets.find((one) => one.name === form.set)
  return (
    <section className={styles.section} aria-labelledby={`${id}-title`}>
      <h2 id={`${id}-title`}>Which partitions</h2>
      <div className="field">
        <label htmlFor={`${id}-set`}>Partition set</label>
        <select
          id={`${id}-set`}
          value={form.set ?? ''}
          onChange={(event) =>
            change({
              set: event.target.value || undefined,
              step: undefined,
              partition: undefined,
            })
          }
        >
          <option value="">Choose a set…</option>
          {form.set && !set && <option value={form.set}>{form.set}</option>}
          {sets.map((one) => (
            <option key={one.name} value={one.name}>
              {one.name} · {one.pipeline}
            </option>
          ))}
        </select>
        {set?.description && <span className="small soft">{set.description}</span>}
        {form.set && !set && (
          <span className="small error-text">The code defines no such set now.</span>
        )}
      </div>
      {set && <Strip set={set.name} onSelect={(select) => change({ select })} />}
      <div className="field">
        <label htmlFor={`${id}-select`}>Selection</label>
        <textarea
          id={`${id}-select`}
          className={styles.selection}
          rows={2}
          spellCheck={false}
          placeholder="all · [2026-01-01...2026-01-31] · failed, missing & 2026-* · last:30 ! dow:sat,sun"
          value={form.select ?? ''}
          onChange={(event) => change({ select: event.target.value || undefined })}
          aria-invalid={problem !== null}
          aria-describedby={problem ? `${id}-problem` : undefined}
        />
        {problem && <SelectionProblem id={`${id}-problem`} problem={problem} />}
        <div className="row" role="group" aria-label="Quick choices">
          {QUICK.map((text) => (
            <button
              key={text}
              type="button"
              className={styles.quick}
              onClick={() => change({ select: text })}
            >
              {text}
            </button>
          ))}
          {form.select && (
            <button
              type="button"
              className={styles.quick}
              title="Only those of the selection whose last run failed"
              onClick={() => change({ select: `(${form.select}) & failed` })}
            >
              … &amp; failed
            </button>
          )}
        </div>
      </div>
      <Choice<(typeof REPROCESS)[number] | 'auto'>
        label="Of these, run"
        inline
        value={form.reprocess ?? 'auto'}
        onChange={(next) => change({ reprocess: next === 'auto' ? undefined : next })}
        options={[
          {
            value: 'auto',
            label: (
              <span title="What succeeded is left out, unless statuses or steps are chosen">
                what needs it
              </span>
            ),
          },
          ...REPROCESS.map((value) => ({
            value,
            label: <span title={REPROCESS_HELP[value]}>{value}</span>,
          })),
        ]}
      />
    </section>
  )
}

/** The error with the text up to the place it is about. */
function SelectionProblem({ id, problem }: { id: string; problem: ApiProblem }) {
  const { column, selection } = problem.facts
  const at = typeof column === 'number' && typeof selection === 'string' ? column - 1 : null
  return (
    <div id={id} className="small error-text break" role="alert">
      {problem.message}
      {at !== null && (
        <pre aria-hidden>
          {String(selection).slice(Math.max(0, at - 30), at + 20)}
          {'\n'}
          {' '.repeat(Math.min(at, 30))}^
        </pre>
      )}
    </div>
  )
}
