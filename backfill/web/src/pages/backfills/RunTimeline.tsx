import { useNavigate } from '@tanstack/react-router'

import type { Schemas } from '@/api/client'
import { useNow } from '@/parts/Time'
import { duration } from '@/parts/times'
import styles from './RunTimeline.module.css'
import { ticksOf, timelineOf, type Placed } from './timeline'

const LANE = 11
const TICKS = 6
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' })
const day = new Intl.DateTimeFormat(undefined, { dateStyle: 'short', timeStyle: 'short' })

/** Runs as bars on a line of time; the table of runs tells the same in words. */
export function RunTimeline({ runs }: { runs: readonly Schemas['Run'][] }) {
  const isGoing = runs.some((run) => run.started_at && !run.finished_at)
  useNow(isGoing ? 1_000 : null)
  const navigate = useNavigate()
  // eslint-disable-next-line react-hooks/purity -- useNow renders it again
  const line = timelineOf(runs, Date.now())
  if (!line) return <p className={`soft ${styles.none}`}>No run has started yet.</p>
  const width = line.to - line.from
  const format = width > 86_400_000 ? day : clock
  return (
    <div className={styles.timeline}>
      <div
        className={styles.lanes}
        style={{ height: line.lanes * LANE + 4 }}
        role="img"
        aria-label={`The newest ${runs.length} runs over ${duration(width / 1000)}, up to ${line.lanes} at a time`}
      >
        {line.placed.map((one) => (
          <span
            key={one.item.id}
            className={styles.run}
            title={wordsOf(one)}
            style={{
              left: `${one.left * 100}%`,
              width: `${one.width * 100}%`,
              top: one.lane * LANE + 2,
              background: `var(--state-${one.item.state}-fill)`,
            }}
            onClick={() => void navigate({ to: '/runs/$runId', params: { runId: one.item.id } })}
          />
        ))}
      </div>
      <div className={styles.axis} aria-hidden>
        {ticksOf(line.from, line.to, TICKS).map((at) => (
          <span key={at} style={{ left: `${((at - line.from) / width) * 100}%` }}>
            {format.format(at)}
          </span>
        ))}
      </div>
    </div>
  )
}

function wordsOf({ item }: Placed<Schemas['Run']>): string {
  const end = item.finished_at ?? new Date().toISOString()
  const took = duration((Date.parse(end) - Date.parse(item.started_at!)) / 1000)
  return `${item.partition ?? item.pipeline}: ${item.state}, ${took} (run ${item.id})`
}
