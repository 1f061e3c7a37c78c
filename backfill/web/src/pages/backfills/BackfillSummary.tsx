import { CirclePause } from 'lucide-react'

import { percent, perTime } from '@/parts/counts'
import { CountsBar, CountsLegend } from '@/parts/CountsBar'
import { Figure, Figures } from '@/parts/Facts'
import { Duration, Time } from '@/parts/Time'
import { roughly } from '@/parts/times'
import { WhyPanel } from '@/parts/Why'
import { isOver, type Backfill } from './queries'
import styles from './backfills.module.css'

/** How far a backfill is, how fast it goes, when it is done, and why it does not go on. */
export function BackfillSummary({ backfill }: { backfill: Backfill }) {
  const { id, progress, counts } = backfill
  return (
    <section className={`panel padded ${styles.summary}`} aria-label="Progress">
      <Figures>
        <Figure
          name="Finished"
          value={percent(progress.fraction)}
          more={`${progress.finished.toLocaleString()} of ${progress.of.toLocaleString()} runs`}
        />
        {isOver(backfill) ? (
          <Figure
            name="Took"
            value={<Duration from={backfill.started_at} to={backfill.finished_at} />}
            more={<Time at={backfill.finished_at} relative />}
          />
        ) : (
          <>
            <Figure
              name="Rate"
              value={progress.runs_per_second ? perTime(progress.runs_per_second) : '–'}
              more="runs, lately"
            />
            <TimeLeft backfill={backfill} />
            <Figure
              name="Began"
              value={<Time at={backfill.started_at} relative />}
              more={
                <>
                  submitted <Time at={backfill.created_at} relative />
                </>
              }
            />
          </>
        )}
        <Figure name="By" value={backfill.created_by ?? '–'} />
      </Figures>
      <CountsBar counts={counts} tall />
      <CountsLegend
        counts={counts}
        to={(name) => ({
          to: '/backfills/$backfillId',
          params: { backfillId: id },
          search: name === 'unlaunched' ? {} : { tab: 'runs', state: [name] },
        })}
      />
      {backfill.pause_reason && !isOver(backfill) && (
        <div className={styles.paused} role="status">
          <CirclePause size={16} aria-hidden />
          <span className="break">Paused: {backfill.pause_reason}</span>
        </div>
      )}
      {backfill.stopped_by !== null && !isOver(backfill) && (
        <div className={styles.paused} role="status">
          <CirclePause size={16} aria-hidden />
          <span className="break">
            The line waits for {backfill.stopped_by}, which did not succeed: retry it, or skip it.
          </span>
        </div>
      )}
      {!isOver(backfill) && counts.running === 0 && !backfill.pause_reason && (
        <WhyPanel kind="backfill" id={id} />
      )}
    </section>
  )
}

/** When it is likely done, with the range four of five times hold. */
function TimeLeft({ backfill }: { backfill: Backfill }) {
  const { seconds_left: likely, forecast } = backfill.progress
  if (likely === null) {
    return <Figure name="Left" value="–" more={forecast?.unknown ?? 'not known yet'} />
  }
  const { low_seconds: low, high_seconds: high } = forecast ?? {}
  const range =
    typeof low === 'number' && typeof high === 'number' && roughly(low) !== roughly(high)
      ? `${roughly(low)} to ${roughly(high)}`
      : 'likely'
  return (
    <Figure
      name="Left"
      value={`≈ ${roughly(likely)}`}
      more={
        <>
          {range}
          {forecast?.finish_at && (
            <>
              {' '}
              · done <Time at={forecast.finish_at} />
            </>
          )}
        </>
      }
    />
  )
}
