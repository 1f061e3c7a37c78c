import { Link } from '@tanstack/react-router'

import { CountsBar } from '@/parts/CountsBar'
import { StateChip } from '@/parts/StateMark'
import { Duration, Time } from '@/parts/Time'
import { roughly } from '@/parts/times'
import { WhyHint } from '@/parts/Why'
import { RUN_ACTIVE } from '@/states.generated'
import { isOver, type Backfill } from './queries'
import styles from './backfills.module.css'

/** Backfills with their progress, a row each. */
export function BackfillTable({ items }: { items: readonly Backfill[] }) {
  return (
    <div className="panel scroll-x">
      <table className={styles.table}>
        <thead>
          <tr>
            <th>Backfill</th>
            <th>State</th>
            <th>Partitions</th>
            <th>Progress</th>
            <th>Left</th>
            <th>By</th>
            <th>Created</th>
            <th>Took</th>
          </tr>
        </thead>
        <tbody>
          {items.map((backfill) => (
            <Row key={backfill.id} backfill={backfill} />
          ))}
        </tbody>
      </table>
    </div>
  )
}

function Row({ backfill }: { backfill: Backfill }) {
  const { id, progress } = backfill
  return (
    <tr>
      <td>
        <Link to="/backfills/$backfillId" params={{ backfillId: id }} className={styles.id}>
          {id}
        </Link>
      </td>
      <td>
        <span className={styles.state}>
          <StateChip state={backfill.state} />
          {!isOver(backfill) && !RUN_ACTIVE.has(backfill.state) && (
            <WhyHint kind="backfill" id={id} />
          )}
        </span>
      </td>
      <td className={styles.what}>
        <div className="break">{backfill.partition_set}</div>
        <div className={`mono small soft ${styles.selection}`} title={backfill.selection}>
          {backfill.selection}
        </div>
      </td>
      <td className={styles.progress}>
        <CountsBar counts={backfill.counts} />
        <div className="small soft row spread">
          <span>
            {progress.finished.toLocaleString()} of {progress.of.toLocaleString()}
          </span>
          {backfill.counts.failed > 0 && (
            <span className={styles.failed}>{backfill.counts.failed.toLocaleString()} failed</span>
          )}
        </div>
      </td>
      <td className="nowrap">
        {!isOver(backfill) && progress.seconds_left !== null ? (
          `≈ ${roughly(progress.seconds_left)}`
        ) : (
          <span className="soft">–</span>
        )}
      </td>
      <td className="break">{backfill.created_by ?? <span className="soft">–</span>}</td>
      <td>
        <Time at={backfill.created_at} relative />
      </td>
      <td>
        <Duration from={backfill.started_at} to={backfill.finished_at} />
      </td>
    </tr>
  )
}
