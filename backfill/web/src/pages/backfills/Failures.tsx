import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'

import { RunLink } from '@/parts/links'
import { Loaded } from '@/parts/Shown'
import { backfillRunsQuery, type Backfill } from './queries'
import styles from './backfills.module.css'

export function Failures({ backfill }: { backfill: Backfill }) {
  const { id } = backfill
  const failed = useQuery(backfillRunsQuery(id, { state: ['failed'] }, 200))
  return (
    <section className="panel" aria-labelledby="failures">
      <header className="row spread">
        <h2 id="failures">Failures</h2>
        <Link
          to="/backfills/$backfillId"
          params={{ backfillId: id }}
          search={{ tab: 'runs', state: ['failed'] }}
        >
          All failed runs
        </Link>
      </header>
      <Loaded query={failed}>
        {({ items }) => (
          <ul className={styles.errors}>
            {items.slice(0, 5).map((run) => (
              <li key={run.id}>
                <span className={styles.many}>1</span>
                <div>
                  <div className={styles.message}>{run.error_message}</div>
                  <RunLink id={run.id} />
                </div>
              </li>
            ))}
          </ul>
        )}
      </Loaded>
    </section>
  )
}
