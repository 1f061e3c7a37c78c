import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'

import type { Schemas } from '@/api/client'
import { RunLink } from '@/parts/links'
import { Loaded } from '@/parts/Shown'
import { Time } from '@/parts/Time'
import { failuresQuery, type Backfill } from './queries'
import styles from './backfills.module.css'

/** Failed runs by error, the largest group first. */
export function Failures({ backfill }: { backfill: Backfill }) {
  const { id } = backfill
  const failures = useQuery(failuresQuery(id))
  return (
    <section className="panel" aria-labelledby="failures">
      <header className="row spread">
        <h2 id="failures">Failures by error</h2>
        <Link
          to="/backfills/$backfillId"
          params={{ backfillId: id }}
          search={{ tab: 'runs', state: ['failed'] }}
        >
          All failed runs
        </Link>
      </header>
      <Loaded query={failures}>
        {({ items, groups }) => (
          <>
            <ul className={styles.errors}>
              {items.map((group) => (
                <Group key={group.key} set={backfill.partition_set} group={group} />
              ))}
            </ul>
            {groups > items.length && (
              <p className={`soft small ${styles.inset}`}>
                {(groups - items.length).toLocaleString()} more kinds of error.
              </p>
            )}
            {!items.length && (
              <p className={`soft ${styles.inset}`}>What failed was tried again since.</p>
            )}
          </>
        )}
      </Loaded>
    </section>
  )
}

function Group({ set, group }: { set: string; group: Schemas['FailureGroup'] }) {
  const steps = Object.keys(group.steps)
  return (
    <li>
      <span className={styles.many}>{group.count.toLocaleString()}</span>
      <div>
        <div className={styles.message}>
          {group.error_type && <strong>{group.error_type}: </strong>}
          {group.error_message ?? group.key}
        </div>
        <div className={`small soft ${styles.about}`}>
          {steps.length > 0 && <span className="break">in {steps.join(', ')}</span>}
          <span>
            last <Time at={group.last_at} relative />
          </span>
          <span>
            <RunLink id={group.run_id} words="Look at the last one" />
          </span>
          {group.selection && (
            <Link to="/launch" search={{ set, select: group.selection, reprocess: 'all' }}>
              Launch a backfill over {group.count === 1 ? 'it' : 'these'}
            </Link>
          )}
        </div>
      </div>
    </li>
  )
}
