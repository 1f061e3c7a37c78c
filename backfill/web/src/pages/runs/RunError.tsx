import { Link } from '@tanstack/react-router'
import { CircleX } from 'lucide-react'

import type { Schemas } from '@/api/client'
import { isOver, type Run } from './queries'
import styles from './RunError.module.css'

/** What went wrong, first of all: the error that ended the run, and where it came from. */
export function RunError({ run, found }: { run: Run; found: Schemas['RunSteps'] }) {
  if (!run.error_message && !(run.reason && isOver(run))) return null
  if (run.state === 'succeeded' || run.state === 'running') return null
  const error = lastError(run, found)
  return (
    <section className={styles.error} aria-label="What went wrong">
      <CircleX size={18} aria-hidden />
      <div className={styles.words}>
        {run.failed_step && (
          <div className="small">
            in step{' '}
            <Link
              to="/runs/$runId"
              params={{ runId: run.id }}
              search={{ step: run.failed_step, tab: 'steps' }}
            >
              {run.failed_step}
            </Link>
          </div>
        )}
        <div className={styles.message}>
          {run.error_type && <strong>{run.error_type}: </strong>}
          {run.error_message ?? run.reason}
        </div>
        {error && <Traceback error={error} />}
      </div>
    </section>
  )
}

/** Where an error was raised, and what it was raised from. */
export function Traceback({ error }: { error: Schemas['StepError'] }) {
  if (!error.traceback) return null
  return (
    <details className={styles.traceback}>
      <summary>Traceback</summary>
      <pre tabIndex={0}>{error.traceback}</pre>
      {error.causes.map((cause, n) => (
        <div key={n}>
          <div className="small soft">
            caused by {cause['type']}: <span className="break">{cause['message']}</span>
          </div>
          {cause['traceback'] && <pre tabIndex={0}>{cause['traceback']}</pre>}
        </div>
      ))}
    </details>
  )
}

function lastError(run: Run, found: Schemas['RunSteps']): Schemas['StepError'] | undefined {
  const ofStep = found.steps
    .filter((one) => one.step === run.failed_step)
    .flatMap((one) => one.errors)
  return [...found.errors, ...ofStep].sort((a, b) => a.at.localeCompare(b.at)).at(-1)
}
