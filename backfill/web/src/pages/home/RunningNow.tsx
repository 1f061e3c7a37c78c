import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'

import { backfillsQuery, type Backfill } from '@/pages/backfills/queries'
import { runsQuery } from '@/pages/runs/queries'
import { CountsBar } from '@/parts/CountsBar'
import { RunLink } from '@/parts/links'
import { Loaded } from '@/parts/Shown'
import { StateChip, StateMark } from '@/parts/StateMark'
import { Duration } from '@/parts/Time'
import { roughly } from '@/parts/times'
import { WhyHint } from '@/parts/Why'
import { BACKFILL_FINAL, BACKFILL_STATES } from '@/states.generated'
import styles from './home.module.css'

const GOING = BACKFILL_STATES.filter((state) => !BACKFILL_FINAL.has(state))
const MOST = 8

/** Backfills that are not over, and runs that belong to none. */
export function RunningNow() {
  const backfills = useQuery(backfillsQuery({ state: GOING }, MOST))
  const runs = useQuery(runsQuery({ state: ['running'] }, undefined, 50))
  const alone = runs.data?.items.filter((run) => run.backfill_id === null).slice(0, MOST) ?? []
  return (
    <section className="panel" aria-labelledby="running">
      <header className="row spread">
        <h2 id="running">Running now</h2>
        <Link to="/backfills" search={{ state: GOING }}>
          All that are not over
        </Link>
      </header>
      <Loaded query={backfills}>
        {({ items }) =>
          items.length || alone.length ? (
            <ul className={styles.list}>
              {items.map((backfill) => (
                <Going key={backfill.id} backfill={backfill} />
              ))}
              {alone.map((run) => (
                <li key={`run ${run.id}`} className={styles.backfill}>
                  <span className={styles.name}>
                    <RunLink id={run.id} words={`Run ${run.id}`} />
                    <span className="soft break">{run.pipeline}</span>
                  </span>
                  <span className="row">
                    <StateMark state={run.state} />
                    <span className="break">{run.partition}</span>
                  </span>
                  <span className={`soft ${styles.end}`}>
                    <Duration from={run.started_at} />
                  </span>
                </li>
              ))}
            </ul>
          ) : (
            <p className={styles.quiet}>Nothing runs now.</p>
          )
        }
      </Loaded>
    </section>
  )
}

function Going({ backfill }: { backfill: Backfill }) {
  const { id, progress, state } = backfill
  return (
    <li className={styles.backfill}>
      <span className={styles.name}>
        <Link to="/backfills/$backfillId" params={{ backfillId: id }}>
          Backfill {id}
        </Link>
        {state !== 'running' && (
          <span>
            <StateChip state={state} />
            <WhyHint kind="backfill" id={id} />
          </span>
        )}
        <span className="soft break">{backfill.partition_set}</span>
      </span>
      <span>
        <CountsBar counts={backfill.counts} />
        <span className="small soft">
          {progress.finished.toLocaleString()} of {progress.of.toLocaleString()}
          {backfill.counts.failed > 0 && (
            <span className="error-text"> · {backfill.counts.failed.toLocaleString()} failed</span>
          )}
        </span>
      </span>
      <span className={`soft ${styles.end}`}>
        {progress.seconds_left !== null && `≈ ${roughly(progress.seconds_left)} left`}
      </span>
    </li>
  )
}
