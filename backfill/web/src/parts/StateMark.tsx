/** The mark of a state: colour and sign, legible without either. */
import { LOOKS, type AnyState } from '@/states.generated'
import styles from './StateMark.module.css'

/** Return the look of a state; one that this app does not know looks like `missing`. */
export function lookOf(state: string): (typeof LOOKS)[AnyState] {
  return LOOKS[state in LOOKS ? (state as AnyState) : 'missing']
}

/** A small square that shows a state; with `title`, its word for those who cannot see it. */
export function StateMark({
  state,
  size = 14,
  title,
}: {
  state: string
  size?: number
  title?: string
}) {
  const look = lookOf(state)
  const ink = `var(--state-${state in LOOKS ? state : 'missing'}-ink)`
  return (
    <svg
      className={styles.mark}
      width={size}
      height={size}
      viewBox="0 0 16 16"
      role={title ? 'img' : undefined}
      aria-label={title}
      aria-hidden={title ? undefined : true}
    >
      <rect
        x={look.fill ? 0.5 : 1}
        y={look.fill ? 0.5 : 1}
        width={look.fill ? 15 : 14}
        height={look.fill ? 15 : 14}
        rx={3}
        fill={look.fill ? `var(--state-${state}-fill)` : 'none'}
        stroke={look.fill ? 'none' : ink}
        strokeWidth={1.4}
        strokeDasharray={look.dashed ? '2.4 2' : undefined}
      />
      {look.sign && (
        <path
          d={look.sign}
          fill="none"
          stroke={ink}
          strokeWidth={1.8}
          strokeLinecap="round"
          strokeLinejoin="round"
        />
      )}
    </svg>
  )
}

/** A state as a mark and its word, perhaps with a count. */
export function StateChip({ state, count }: { state: string; count?: number | undefined }) {
  return (
    <span className={styles.chip}>
      <StateMark state={state} />
      <span>{lookOf(state).word}</span>
      {count !== undefined && <span className={styles.count}>{count.toLocaleString()}</span>}
    </span>
  )
}
