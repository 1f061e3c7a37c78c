import type { Schemas } from '@/api/client'
import { StateMark, lookOf } from '@/parts/StateMark'
import { Time, useNow } from '@/parts/Time'
import { duration } from '@/parts/times'
import { attemptLines, type AttemptLine, type Bar } from './gantt'
import styles from './Gantt.module.css'

/** Steps over time, attempt by attempt; choosing one shows its log. */
export function Gantt({
  found,
  order,
  isGoing,
  chosen,
  onChoose,
}: {
  found: Schemas['RunSteps']
  order: readonly string[]
  isGoing: boolean
  chosen: { step: string | undefined; attempt: number | undefined }
  onChoose: (step: string | undefined, attempt: number | undefined) => void
}) {
  useNow(isGoing ? 500 : null)
  // eslint-disable-next-line react-hooks/purity -- useNow renders it again
  const lines = attemptLines(found, order, Date.now())
  if (!lines.length) return null
  return (
    <section className={`panel ${styles.gantt}`} aria-label="Steps over time">
      {lines.map((line, n) => (
        <details key={line.attempt.attempt} open={n === 0} className={styles.attempt}>
          <summary className={lines.length > 1 ? styles.summary : 'visually-hidden'}>
            <AttemptWords line={line} />
          </summary>
          <div className={styles.rows} role="list">
            {line.bars.map((bar) => (
              <Row
                key={bar.step}
                bar={bar}
                isChosen={
                  chosen.step === bar.step &&
                  (chosen.attempt ?? lines[0]!.attempt.attempt) === line.attempt.attempt
                }
                onChoose={(on) =>
                  onChoose(
                    on ? bar.step : undefined,
                    on && lines.length > 1 ? line.attempt.attempt : undefined,
                  )
                }
              />
            ))}
          </div>
        </details>
      ))}
    </section>
  )
}

function AttemptWords({ line }: { line: AttemptLine }) {
  const { attempt } = line
  const state = attempt.ending ?? 'running'
  return (
    <>
      <StateMark state={state} />
      <strong>Attempt {attempt.attempt}</strong>
      <span>{lookOf(state).word}</span>
      <span className="soft">{duration((line.to - line.from) / 1000)}</span>
      <span className="soft">
        <Time at={attempt.started_at} />
      </span>
      {attempt.worker && <span className="soft break">on {attempt.worker}</span>}
      {attempt.reason && <span className="soft break">{attempt.reason}</span>}
    </>
  )
}

function Row({
  bar,
  isChosen,
  onChoose,
}: {
  bar: Bar
  isChosen: boolean
  onChoose: (on: boolean) => void
}) {
  const { outcome, left, width } = bar
  const state = outcome?.state ?? 'missing'
  const took = bar.seconds === undefined ? '' : duration(bar.seconds)
  const tries = outcome && outcome.tries > 1 ? `, ${outcome.tries} tries` : ''
  const words = `${lookOf(state).word}${took && `, ${took}`}${tries}`
  const late = (left ?? 0) + width > 0.82
  return (
    <div role="listitem" className={`${styles.row} ${isChosen ? styles.chosen : ''}`}>
      <button
        type="button"
        className={styles.step}
        aria-pressed={isChosen}
        aria-label={`${bar.step}: ${words}`}
        title={`${bar.step}: ${words}`}
        onClick={() => onChoose(!isChosen)}
      >
        <StateMark state={state} />
        <span className={styles.name}>{bar.step}</span>
      </button>
      <div className={styles.lane} aria-hidden onClick={() => onChoose(!isChosen)}>
        {left === undefined ? (
          <span className={`small soft ${styles.reason}`}>{outcome?.reason ?? ''}</span>
        ) : (
          <>
            <span
              className={`${styles.bar} ${outcome?.finished_at ? '' : styles.going}`}
              style={{
                left: `${left * 100}%`,
                width: `${width * 100}%`,
                background: `var(--state-${state}-fill)`,
              }}
            />
            {bar.stumbles.map((at, n) => (
              <span key={n} className={styles.stumble} style={{ left: `${at * 100}%` }} />
            ))}
            <span
              className={styles.took}
              style={
                late ? { right: `${(1 - left) * 100}%` } : { left: `${(left + width) * 100}%` }
              }
            >
              {took}
              {tries}
            </span>
          </>
        )}
      </div>
    </div>
  )
}
