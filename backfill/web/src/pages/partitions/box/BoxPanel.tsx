/** A box: every run and attempt of one step of one partition, and what can be done from it. */
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { X } from 'lucide-react'
import { useEffect, useRef } from 'react'

import type { Schemas } from '@/api/client'
import { runQuery } from '@/pages/runs/queries'
import { logQuery } from '@/pages/runs/logs'
import { MetadataValue } from '@/pages/runs/MetadataValue'
import { Traceback } from '@/pages/runs/RunError'
import { Button } from '@/parts/Button'
import { Facts } from '@/parts/Facts'
import { BackfillLink, RunLink } from '@/parts/links'
import { Empty, Loading, ProblemLine, ProblemShown } from '@/parts/Shown'
import { StateChip } from '@/parts/StateMark'
import type { StepNode } from '@/parts/steps'
import { Duration, Time } from '@/parts/Time'
import { YamlView } from '@/parts/YamlView'
import { BoxActions } from './BoxActions'
import styles from './BoxPanel.module.css'
import { boxQuery } from './queries'

interface Props {
  set: string
  partition: string
  step: string
  steps: readonly StepNode[]
  onClose: () => void
}

export function BoxPanel({ set, partition, step, steps, onClose }: Props) {
  const history = useInfiniteQuery(boxQuery(set, partition, step))
  const runs = history.data?.pages.flatMap((page) => page.items) ?? []
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => heading.current?.focus(), [])
  return (
    <aside
      className={`panel ${styles.panel}`}
      aria-label="Box"
      onKeyDown={(event) => event.key === 'Escape' && onClose()}
    >
      <header className={styles.header}>
        <h2 ref={heading} tabIndex={-1} className="break">
          {partition}, {step}
        </h2>
        <Button kind="quiet" small onClick={onClose} aria-label="Close the box">
          <X size={17} aria-hidden />
        </Button>
      </header>
      <div className={styles.body}>
        {history.isSuccess && (
          <BoxActions set={set} partition={partition} step={step} steps={steps} newest={runs[0]} />
        )}
        {history.isPending && <Loading />}
        {history.error && !history.data && <ProblemShown error={history.error} />}
        {history.isSuccess && !runs.length && (
          <Empty title="Never run">No run of this partition came to this step.</Empty>
        )}
        {runs.map((run, n) => (
          <BoxRun key={run.run_id} run={run} step={step} begins={n === 0} />
        ))}
        {history.hasNextPage && (
          <Button
            small
            disabled={history.isFetchingNextPage}
            onClick={() => void history.fetchNextPage()}
          >
            Older runs
          </Button>
        )}
      </div>
    </aside>
  )
}

function BoxRun({ run, step, begins }: { run: Schemas['BoxRun']; step: string; begins: boolean }) {
  const newest = run.outcomes.at(-1)
  return (
    <details className={styles.run} open={begins}>
      <summary>
        <StateChip state={newest?.state ?? run.state} />
        <span>
          Run <RunLink id={run.run_id} />
        </span>
        <span className={styles.when}>
          <Time at={run.created_at} relative />
        </span>
      </summary>
      <div className={styles.inside}>
        <Facts
          facts={[
            ['Backfill', run.backfill_id && <BackfillLink id={run.backfill_id} />],
            ['Run', <StateChip key="state" state={run.state} />],
            ['Version', run.version && <code>{run.version}</code>],
          ]}
        />
        {!run.outcomes.length && <p className="soft">It has not come to this step.</p>}
        {[...run.outcomes].reverse().map((outcome) => (
          <Outcome
            key={outcome.attempt}
            outcome={outcome}
            attempt={run.attempts.find((one) => one.attempt === outcome.attempt)}
          />
        ))}
        <RunMore id={run.run_id} step={step} open={begins} />
      </div>
    </details>
  )
}

function Outcome({
  outcome,
  attempt,
}: {
  outcome: Schemas['StepOutcome']
  attempt: Schemas['Attempt'] | undefined
}) {
  const metadata = Object.entries(outcome.metadata)
  const outputs = Object.entries(outcome.outputs)
  return (
    <section className={styles.outcome} aria-label={`Attempt ${outcome.attempt}`}>
      <div className={styles.line}>
        <strong>Attempt {outcome.attempt}</strong>
        <StateChip state={outcome.state} />
        {outcome.tries > 1 && <span className="soft">{outcome.tries} tries</span>}
        <span className="soft">
          <Duration from={outcome.started_at} to={outcome.finished_at} />
        </span>
        <Time at={outcome.started_at} />
      </div>
      {attempt?.worker && <div className="small soft break">on {attempt.worker}</div>}
      {outcome.reason && <p className="break">{outcome.reason}</p>}
      {outcome.errors.map((error, n) => (
        <div key={n} className={styles.error}>
          <strong className="break">{error.type}</strong>
          <pre>{error.message}</pre>
          <Traceback error={error} />
        </div>
      ))}
      {metadata.length > 0 && (
        <Facts
          facts={metadata.map(([name, value]) => [
            name,
            <MetadataValue key={name} value={value} />,
          ])}
        />
      )}
      {outputs.length > 0 && (
        <Facts facts={outputs.map(([name, url]) => [name, <code key={name}>{url}</code>])} />
      )}
    </section>
  )
}

/** The step's log and the run's config; asked for once they are looked at. */
function RunMore({ id, step, open }: { id: string; step: string; open: boolean }) {
  const run = useQuery(runQuery(id))
  return (
    <>
      <Log id={id} step={step} open={open} />
      <details className={styles.more}>
        <summary>Config used</summary>
        {run.data && <YamlView value={run.data.run_config} empty="It has no config." />}
        <ProblemLine error={run.error} />
      </details>
      {run.data?.flower_url && (
        <a href={run.data.flower_url} target="_blank" rel="noreferrer noopener">
          Task in Flower
        </a>
      )}
    </>
  )
}

function Log({ id, step, open }: { id: string; step: string; open: boolean }) {
  const log = useQuery(logQuery(id, { step }))
  const { data, refetch } = log
  useEffect(() => {
    if (data?.more) void refetch()
  }, [data, refetch])
  const lines = data?.lines ?? []
  return (
    <details className={styles.more} open={open}>
      <summary>Log{lines.length > 0 && ` (${lines.length} lines)`}</summary>
      <ProblemLine error={log.error} />
      {data && !lines.length && <p className="soft">It wrote no lines.</p>}
      {lines.length > 0 && (
        <pre className={styles.log} tabIndex={0} role="log" aria-label={`Log of ${step}`}>
          {lines.slice(-500).map((line) => (
            <span key={line.id} className={isBad(line.level) ? styles.bad : ''}>
              <span className="soft">{new Date(line.at).toLocaleTimeString()} </span>
              {line.message}
              {'\n'}
            </span>
          ))}
        </pre>
      )}
    </details>
  )
}

function isBad(level: string): boolean {
  return ['ERROR', 'CRITICAL', 'WARNING'].includes(level.toUpperCase())
}
