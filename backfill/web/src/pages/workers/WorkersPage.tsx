/** Workers: what does the work, what waits for it, and who coordinates. */
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'

import type { Schemas } from '@/api/client'
import { definitionsQuery } from '@/api/definitions'
import { Page } from '@/parts/Page'
import { Empty, Loaded } from '@/parts/Shown'
import { CoordinatorPanel } from './CoordinatorPanel'
import { PoolsPanel, TagLimitsPanel } from './LimitsPanel'
import { QueuesPanel } from './QueuesPanel'
import { fleetQuery } from './queries'
import { WorkersTable } from './WorkersTable'

export function WorkersPage() {
  const fleet = useQuery(fleetQuery)
  const version = useQuery(definitionsQuery).data?.version
  const [gone, showGone] = useState(false)
  return (
    <Page title="Workers">
      <Loaded query={fleet}>
        {(found) => (
          <>
            <CoordinatorPanel coordinator={found.coordinator} />
            <Workers
              workers={found.workers}
              version={version}
              gone={gone}
              onGone={() => showGone(!gone)}
            />
            <QueuesPanel queues={found.queues} />
            <PoolsPanel />
            <TagLimitsPanel />
          </>
        )}
      </Loaded>
    </Page>
  )
}

function Workers({
  workers,
  version,
  gone,
  onGone,
}: {
  workers: Schemas['Worker'][]
  version: string | undefined
  gone: boolean
  onGone: () => void
}) {
  const alive = workers.filter((worker) => worker.alive)
  const shown = gone ? workers : alive
  const slots = alive.reduce((sum, worker) => sum + worker.slots, 0)
  const busy = alive.reduce((sum, worker) => sum + worker.running, 0)
  return (
    <section className="panel" aria-labelledby="workers-alive">
      <header className="row spread">
        <h2 id="workers-alive">
          {alive.length} {alive.length === 1 ? 'worker' : 'workers'} alive
          <span className="soft">
            {' '}
            · {busy} running of {slots} {slots === 1 ? 'slot' : 'slots'}
          </span>
        </h2>
        {workers.length > alive.length && (
          <label className="row small">
            <input type="checkbox" checked={gone} onChange={onGone} />
            show the {workers.length - alive.length} that are gone
          </label>
        )}
      </header>
      {shown.length ? (
        <WorkersTable workers={shown} version={version} />
      ) : (
        <Empty title="No worker is alive">
          Nothing runs without one. Start one with <code>celery -A workers worker</code>.
        </Empty>
      )}
    </section>
  )
}
