/** Names and values, one beside the other. */
import { Fragment, type ReactNode } from 'react'

import styles from './Facts.module.css'

/** `facts` are [name, value]; those without a value are left out. */
export function Facts({ facts }: { facts: readonly (readonly [string, ReactNode])[] }) {
  const there = facts.filter(([, value]) => value !== null && value !== undefined && value !== '')
  return (
    <dl className={styles.facts}>
      {there.map(([name, value]) => (
        <Fragment key={name}>
          <dt>{name}</dt>
          <dd className="break">{value}</dd>
        </Fragment>
      ))}
    </dl>
  )
}

/** A number that matters, with what it is. */
export function Figure({
  name,
  value,
  more,
}: {
  name: string
  value: ReactNode
  more?: ReactNode
}) {
  return (
    <div className={styles.figure}>
      <span className={styles.name}>{name}</span>
      <span className={styles.value}>{value}</span>
      {more && <span className="small soft">{more}</span>}
    </div>
  )
}

export function Figures({ children }: { children: ReactNode }) {
  return <div className={styles.figures}>{children}</div>
}
