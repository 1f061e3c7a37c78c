import { BackfillLink, RunLink } from '@/parts/links'
import { StateChip } from '@/parts/StateMark'
import { Duration, Time } from '@/parts/Time'
import { WhyHint } from '@/parts/Why'
import { isOver, type Run } from './queries'
import styles from './runs.module.css'

/** Runs, a row each; what all of them share is left out. */
export function RunTable({
  items,
  within,
}: {
  items: readonly Run[]
  /** They are all of one backfill, or one pipeline. */
  within?: 'backfill' | 'pipeline'
}) {
  return (
    <div className="panel scroll-x">
      <table className={styles.table}>
        <thead>
          <tr>
            <th>Run</th>
            <th>State</th>
            <th>Partition</th>
            {!within && <th>Pipeline</th>}
            {within !== 'backfill' && <th>Backfill</th>}
            <th className="number">Attempt</th>
            <th>Created</th>
            <th>Took</th>
            <th>What went wrong</th>
          </tr>
        </thead>
        <tbody>
          {items.map((run) => (
            <Row key={run.id} run={run} within={within} />
          ))}
        </tbody>
      </table>
    </div>
  )
}

function Row({ run, within }: { run: Run; within: 'backfill' | 'pipeline' | undefined }) {
  return (
    <tr>
      <td className={styles.id}>
        <RunLink id={run.id} />
      </td>
      <td>
        <span className={styles.state}>
          <StateChip state={run.state} />
          {!isOver(run) && run.state !== 'running' && <WhyHint kind="run" id={run.id} />}
          {run.cancel_requested_at && !isOver(run) && <span className="small soft">stopping</span>}
        </span>
      </td>
      <td className={`break ${styles.partition}`}>
        {run.partition ?? <span className="soft">–</span>}
      </td>
      {!within && <td className={`break ${styles.pipeline}`}>{run.pipeline}</td>}
      {within !== 'backfill' && (
        <td>
          <BackfillLink id={run.backfill_id} />
        </td>
      )}
      <td className="number">{run.attempt || <span className="soft">–</span>}</td>
      <td>
        <Time at={run.created_at} relative />
      </td>
      <td>
        <Duration from={run.started_at} to={run.finished_at} />
      </td>
      <td className={styles.wrong}>
        {run.error_message ? (
          <span className={styles.message} title={run.error_message}>
            {run.failed_step && <span className="soft">{run.failed_step}: </span>}
            {run.error_message}
          </span>
        ) : (
          run.reason && <span className={`soft ${styles.message}`}>{run.reason}</span>
        )}
      </td>
    </tr>
  )
}
