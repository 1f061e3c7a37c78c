import type { UseQueryResult } from '@tanstack/react-query'

import type { Schemas } from '@/api/client'
import { Facts } from '@/parts/Facts'
import { Empty, Loaded } from '@/parts/Shown'
import { StateChip } from '@/parts/StateMark'
import { Duration, Time } from '@/parts/Time'
import { MetadataValue } from './MetadataValue'
import { Traceback } from './RunError'
import styles from './StepDetails.module.css'

type Outcome = Schemas['StepOutcome']

/** Every step with its errors, metadata and outputs; or only the chosen one. */
export function StepDetails({
  query,
  step,
  attempt,
}: {
  query: UseQueryResult<Schemas['RunSteps']>
  step: string | undefined
  attempt: number | undefined
}) {
  return (
    <Loaded query={query}>
      {(found) => {
        const newest = Math.max(0, ...found.attempts.map((one) => one.attempt))
        const shown = found.steps.filter(
          (one) => (!step || one.step === step) && one.attempt === (attempt ?? newest),
        )
        return (
          <div className="stack">
            {found.errors.map((error, n) => (
              <article key={n} className="panel padded" aria-label="Error of the run itself">
                <ErrorWords error={error} />
              </article>
            ))}
            {shown.map((outcome) => (
              <OneStep key={`${outcome.attempt}/${outcome.step}`} outcome={outcome} />
            ))}
            {!shown.length && !found.errors.length && (
              <Empty title="Nothing has happened yet">
                What steps raise, tell and return stands here.
              </Empty>
            )}
          </div>
        )
      }}
    </Loaded>
  )
}

function OneStep({ outcome }: { outcome: Outcome }) {
  const metadata = Object.entries(outcome.metadata)
  const outputs = Object.entries(outcome.outputs)
  return (
    <article className="panel" aria-label={outcome.step}>
      <header className={`row spread ${styles.header}`}>
        <span className="row">
          <h2 className="break">{outcome.step}</h2>
          <StateChip state={outcome.state} />
          {outcome.tries > 1 && <span className="soft">{outcome.tries} tries</span>}
        </span>
        <span className="soft">
          <Duration from={outcome.started_at} to={outcome.finished_at} />
        </span>
      </header>
      <div className={styles.body}>
        {outcome.reason && <p className="soft break">{outcome.reason}</p>}
        {outcome.errors.map((error, n) => (
          <ErrorWords key={n} error={error} />
        ))}
        {metadata.length > 0 && (
          <div>
            <h3>Metadata</h3>
            <Facts
              facts={metadata.map(([name, value]) => [
                name,
                <MetadataValue key={name} value={value} />,
              ])}
            />
          </div>
        )}
        {outputs.length > 0 && (
          <div>
            <h3>Outputs</h3>
            <Facts facts={outputs.map(([name, url]) => [name, <code key={name}>{url}</code>])} />
          </div>
        )}
        {!outcome.reason && !outcome.errors.length && !metadata.length && !outputs.length && (
          <span className="soft">It raised, told and returned nothing.</span>
        )}
      </div>
    </article>
  )
}

function ErrorWords({ error }: { error: Schemas['StepError'] }) {
  return (
    <div className={styles.error}>
      <div className="small soft">
        try {error.tries}, <Time at={error.at} />
      </div>
      <div className={styles.message}>
        <strong>{error.type}</strong>: {error.message}
      </div>
      <Traceback error={error} />
    </div>
  )
}
