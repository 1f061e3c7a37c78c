import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'

import { runsQuery } from '@/pages/runs/queries'
import { BackfillLink, RunLink } from '@/parts/links'
import { Loaded } from '@/parts/Shown'
import { StateMark } from '@/parts/StateMark'
import { Time } from '@/parts/Time'
import styles from './home.module.css'

const MOST = 8

/** The newest runs that failed, with what went wrong. */
export function FailedLately() {
  const failed = useQuery(runsQuery({ state: ['failed'] }, undefined, MOST))
  return (
    <section className="panel" aria-labelledby="failed">
      <header className="row spread">
        <h2 id="failed">Failed lately</h2>
        <Link to="/runs" search={{ state: ['failed'] }}>
          All failed runs
        </Link>
      </header>
      <Loaded query={failed}>
        {({ items }) =>
          items.length ? (
            <ul className={styles.list}>
              {items.map((run) => (
                <li key={run.id} className={styles.failure}>
                  <StateMark state={run.state} />
                  <span className={styles.name}>
                    <RunLink id={run.id} words={run.partition ?? `Run ${run.id}`} />
                    <span className="soft break">{run.pipeline}</span>
                    {run.backfill_id && (
                      <span className="small">
                        <BackfillLink id={run.backfill_id} words={`backfill ${run.backfill_id}`} />
                      </span>
                    )}
                  </span>
                  <span className="small soft">
                    <Time at={run.finished_at ?? run.created_at} relative />
                  </span>
                  <span className={styles.message}>
                    {run.failed_step && <strong>{run.failed_step}: </strong>}
                    {run.error_message ?? run.reason}
                  </span>
                </li>
              ))}
            </ul>
          ) : (
            <p className={styles.quiet}>No run has failed.</p>
          )
        }
      </Loaded>
    </section>
  )
}
