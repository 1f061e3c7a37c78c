/** What the signs mean, with how many partitions show each. */
import { StateMark, lookOf } from '@/parts/StateMark'
import { BOX_STATUSES, type AnyState } from '@/states.generated'
import styles from './Legend.module.css'

const OF_RUNS: readonly AnyState[] = ['pending', ...BOX_STATUSES]

export function Legend({ totals }: { totals: ReadonlyMap<AnyState, number> }) {
  return (
    <ul className={styles.legend} aria-label="Partitions by the status of their newest run">
      {OF_RUNS.map((state) => {
        const count = totals.get(state) ?? 0
        return (
          <li
            key={state}
            className={count ? styles.there : styles.none}
            title={lookOf(state).sentence}
          >
            <StateMark state={state} />
            {lookOf(state).word}
            {count > 0 && <strong>{count.toLocaleString()}</strong>}
          </li>
        )
      })}
    </ul>
  )
}
