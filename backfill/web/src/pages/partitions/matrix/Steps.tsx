/** The left block: a row per step with how often it fails. */
import { ArrowDownWideNarrow } from 'lucide-react'

import type { Schemas } from '@/api/client'
import { FOOTER, HEADER, ROW } from './layout'
import styles from './Steps.module.css'

interface Props {
  rows: readonly { name: string; depth: number }[]
  figures: ReadonlyMap<string, Schemas['StepStatistics']>
  /** How far the rows are scrolled down, and how tall they are shown. */
  scrolled: number
  height: number
  query: string | undefined
  problem: string | null
  sorted: boolean
  onQuery: (query: string | undefined) => void
  onSort: (sorted: boolean) => void
}

export function Steps(props: Props) {
  const { rows, figures, scrolled, height, sorted } = props
  const first = Math.max(0, Math.floor(scrolled / ROW) - 2)
  const last = Math.min(rows.length + 1, Math.ceil((scrolled + height) / ROW) + 2)
  return (
    <div className={styles.steps}>
      <div className={styles.head} style={{ height: HEADER }}>
        <StepQuery {...props} />
        <button
          type="button"
          className={styles.sort}
          aria-pressed={sorted}
          title="How often the step failed in the partitions in sight; click to sort"
          onClick={() => props.onSort(!sorted)}
        >
          Failed
          <ArrowDownWideNarrow size={13} aria-hidden />
        </button>
      </div>
      <div className={styles.window} style={{ height: height - HEADER - FOOTER }}>
        <ul className={styles.list} style={{ transform: `translateY(${-scrolled}px)` }}>
          {first === 0 && (
            <li className={`${styles.row} ${styles.run}`} style={{ top: 0 }}>
              <span>Run</span>
            </li>
          )}
          {rows.slice(Math.max(0, first - 1), Math.max(0, last - 1)).map(({ name, depth }, n) => (
            <li
              key={name}
              className={styles.row}
              style={{ top: (Math.max(1, first) + n) * ROW }}
              title={figureTitle(name, figures.get(name))}
            >
              <span className={styles.name} style={{ paddingLeft: Math.min(depth, 8) * 10 }}>
                {name}
              </span>
              <Percent figures={figures.get(name)} />
            </li>
          ))}
        </ul>
      </div>
      <div className={styles.foot} style={{ height: FOOTER }}>
        runs per partition
      </div>
    </div>
  )
}

function StepQuery({ query, problem, onQuery }: Props) {
  return (
    <form
      className={styles.query}
      onSubmit={(event) => {
        event.preventDefault()
        const typed = new FormData(event.currentTarget).get('steps')
        onQuery(typeof typed === 'string' && typed.trim() ? typed.trim() : undefined)
      }}
    >
      <input
        key={query}
        type="search"
        name="steps"
        aria-label="Steps"
        placeholder="steps: *load+"
        defaultValue={query ?? ''}
        aria-invalid={problem !== null}
        title={problem ?? 'A step; * or + before it: what is upstream, after it: downstream'}
        onBlur={(event) => event.currentTarget.form?.requestSubmit()}
      />
    </form>
  )
}

function Percent({ figures }: { figures: Schemas['StepStatistics'] | undefined }) {
  const percent = figures?.failure_percent
  if (percent === null || percent === undefined) return <span className={styles.percent} />
  const text = percent > 0 && percent < 1 ? '<1%' : `${Math.round(percent)}%`
  return <span className={`${styles.percent} ${percent > 0 ? styles.bad : ''}`}>{text}</span>
}

function figureTitle(name: string, figures: Schemas['StepStatistics'] | undefined): string {
  if (!figures?.ended) return name
  return `${name}\nfailed ${figures.failed} of ${figures.ended} times in the partitions in sight`
}
