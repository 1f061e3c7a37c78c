import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { TriangleAlert } from 'lucide-react'

import type { Schemas } from '@/api/client'
import { fleetQuery } from '@/pages/workers/queries'
import { Facts } from '@/parts/Facts'
import { Loaded } from '@/parts/Shown'
import styles from './home.module.css'

const MOST_SLOTS = 64

/** Who does the work: slots, queues and the coordinator. */
export function FleetPanel() {
  const fleet = useQuery(fleetQuery)
  return (
    <section className="panel" aria-labelledby="fleet">
      <header className="row spread">
        <h2 id="fleet">Workers</h2>
        <Link to="/workers">All workers</Link>
      </header>
      <Loaded query={fleet}>{(found) => <Fleet fleet={found} />}</Loaded>
    </section>
  )
}

function Fleet({ fleet }: { fleet: Schemas['Fleet'] }) {
  const alive = fleet.workers.filter((worker) => worker.alive)
  const slots = alive.reduce((sum, worker) => sum + worker.slots, 0)
  const running = alive.reduce((sum, worker) => sum + worker.running, 0)
  const queued = fleet.queues.reduce((sum, queue) => sum + queue.queued, 0)
  const leads = fleet.coordinator?.leading ?? false
  const broken = alive.filter((worker) => worker.load_error)
  return (
    <div className={styles.fleet}>
      {slots > 0 && slots <= MOST_SLOTS && (
        <div className={styles.slots} aria-hidden>
          {Array.from({ length: slots }, (_, n) => (
            <span key={n} className={`${styles.slot} ${n < running ? styles.busy : ''}`} />
          ))}
        </div>
      )}
      <Facts
        facts={[
          ['Alive', `${alive.length} ${alive.length === 1 ? 'worker' : 'workers'}`],
          ['Slots', slots ? `${running} of ${slots} busy` : null],
          ['Queued', `${queued.toLocaleString()} runs`],
          ['Coordinator', leads ? 'leads' : null],
        ]}
      />
      {!alive.length && (
        <Warning>
          Nothing executes runs: start <code>celery -A workers worker</code>
        </Warning>
      )}
      {!leads && <Warning>No coordinator leads: nothing is admitted.</Warning>}
      {broken.length > 0 && <Warning>{broken.length} workers cannot load the definitions.</Warning>}
    </div>
  )
}

function Warning({ children }: { children: React.ReactNode }) {
  return (
    <div className={`row ${styles.warn}`} role="status">
      <TriangleAlert size={15} aria-hidden />
      <span>{children}</span>
    </div>
  )
}
