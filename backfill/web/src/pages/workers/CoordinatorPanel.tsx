import type { Schemas } from '@/api/client'
import { StateMark } from '@/parts/StateMark'
import { Time } from '@/parts/Time'
import styles from './CoordinatorPanel.module.css'

/** Who coordinates, and how well. */
export function CoordinatorPanel({ coordinator }: { coordinator: Schemas['Coordinator'] | null }) {
  if (!coordinator) {
    return (
      <section className="panel padded" role="alert">
        <strong>No coordinator ever ran.</strong>{' '}
        <span className="soft">
          Nothing is started without one. Start one with <code>backfill coordinator</code>.
        </span>
      </section>
    )
  }
  const facts = Object.entries(coordinator.facts)
  return (
    <section className="panel padded" aria-label="Coordinator">
      <dl className={styles.facts}>
        <dt>Coordinator</dt>
        <dd>
          <StateMark state={coordinator.leading ? 'succeeded' : 'failed'} />{' '}
          {coordinator.leading ? 'leads' : 'nobody leads: nothing new is started'}
        </dd>
        <dt>Process</dt>
        <dd className="break">{coordinator.holder}</dd>
        <dt>Epoch</dt>
        <dd>{coordinator.epoch}</dd>
        <dt>Last heard of</dt>
        <dd>
          <Time at={coordinator.beat_at} relative />
        </dd>
        {facts.map(([name, value]) => (
          <Fact key={name} name={name} value={value} />
        ))}
      </dl>
    </section>
  )
}

function Fact({ name, value }: { name: string; value: unknown }) {
  return (
    <>
      <dt>{name.replaceAll('_', ' ')}</dt>
      <dd className="break">{typeof value === 'string' ? value : JSON.stringify(value)}</dd>
    </>
  )
}
