/** What a box says when it is pointed at. */
import { StateChip } from '@/parts/StateMark'
import { duration } from '@/parts/times'
import { previousAt, statusAt, tookAt, type Column } from './columns'
import type { Place } from './Grid'
import styles from './HoverCard.module.css'

const WIDTH = 260

export function HoverCard({
  hover,
  column,
  rows,
}: {
  hover: { place: Place; x: number; y: number }
  column: Column | undefined
  rows: readonly { name: string; place: number }[]
}) {
  if (!column) return null
  const row = hover.place.row === 0 ? null : rows[hover.place.row - 1]
  const state = row ? statusAt(column, row.place) : column.state
  const before = row ? previousAt(column, row.place) : null
  const took = row ? tookAt(column, row.place) : column.finished - column.started
  const end = row ? column.to[row.place]! : column.finished
  const left = Math.min(hover.x + 14, window.innerWidth - WIDTH - 8)
  return (
    <div className={styles.card} style={{ left, top: hover.y + 16, width: WIDTH }} aria-hidden>
      <strong className="break">{column.key}</strong>
      <span className="break">{row ? row.name : 'Run'}</span>
      <StateChip state={state} />
      {before && (
        <span className={styles.before}>
          before: <StateChip state={before} />
        </span>
      )}
      {!Number.isNaN(took) && (
        <span className="soft">
          took {duration(took / 1000)}, ended {new Date(end).toLocaleString()}
        </span>
      )}
      {row && column.marked?.[row.place] ? <span>An operator marked it so.</span> : null}
      {column.blocked !== null && <span className="break">Blocked: {column.blocked}</span>}
    </div>
  )
}
