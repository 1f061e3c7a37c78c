/** Progress by status: a bar, and what its colours mean with the counts. */
import { Link, type LinkProps } from '@tanstack/react-router'

import styles from './CountsBar.module.css'
import { percent, sharesOf, type CountName, type Counts } from './counts'
import { lookOf, StateMark } from './StateMark'

/** A bar by status; its words are for those who cannot see it. */
export function CountsBar({ counts, tall = false }: { counts: Counts; tall?: boolean }) {
  const shares = sharesOf(counts)
  const words = shares.map(({ name, count }) => `${count.toLocaleString()} ${wordOf(name)}`)
  return (
    <div
      className={`${styles.bar} ${tall ? styles.tall : ''}`}
      role="img"
      aria-label={words.join(', ') || 'nothing to run'}
      title={words.join('\n')}
    >
      {shares.map(({ name, count }) => (
        <span
          key={name}
          className={`${styles.part} ${isHollow(name) ? styles.hollow : ''}`}
          style={{ flexGrow: count, ...(isHollow(name) ? {} : { background: fillOf(name) }) }}
        />
      ))}
    </div>
  )
}

/** Each status with its count and share; `to` makes links of them. */
export function CountsLegend({
  counts,
  to,
}: {
  counts: Counts
  to?: (name: CountName) => LinkProps
}) {
  return (
    <ul className={styles.legend}>
      {sharesOf(counts).map(({ name, count, part }) => {
        const shown = (
          <>
            <StateMark state={stateOf(name)} />
            <span>{wordOf(name)}</span>
            <strong>{count.toLocaleString()}</strong>
            <span className="soft small">{percent(part)}</span>
          </>
        )
        return (
          <li key={name}>
            {to && name !== 'unlaunched' ? (
              <Link {...to(name)} className={styles.entry}>
                {shown}
              </Link>
            ) : (
              <span className={styles.entry}>{shown}</span>
            )}
          </li>
        )
      })}
    </ul>
  )
}

function wordOf(name: CountName): string {
  return name === 'unlaunched' ? 'never launched' : lookOf(name).word
}

function stateOf(name: CountName): string {
  return name === 'unlaunched' ? 'missing' : name
}

function isHollow(name: CountName): boolean {
  return lookOf(stateOf(name)).fill === null
}

function fillOf(name: CountName): string {
  return `var(--state-${stateOf(name)}-fill)`
}
