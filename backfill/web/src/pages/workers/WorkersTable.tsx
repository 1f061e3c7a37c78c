import type { Schemas } from '@/api/client'
import { Tooltip } from '@/parts/overlays'
import { StateMark } from '@/parts/StateMark'
import { Time } from '@/parts/Time'
import { SlotBar } from './SlotBar'

/** One row per worker; `version` is that of the definitions the server has. */
export function WorkersTable({
  workers,
  version,
}: {
  workers: Schemas['Worker'][]
  version: string | undefined
}) {
  return (
    <div className="scroll-x">
      <table>
        <thead>
          <tr>
            <th>Worker</th>
            <th>Busy</th>
            <th>Queues</th>
            <th>Code</th>
            <th>Started</th>
            <th>Last heard of</th>
          </tr>
        </thead>
        <tbody>
          {workers.map((worker) => (
            <tr key={worker.id}>
              <td className="break">
                <StateMark
                  state={worker.alive ? 'succeeded' : 'canceled'}
                  title={worker.alive ? 'alive' : 'gone'}
                />{' '}
                {worker.name}
                <div className="soft small">
                  {worker.host}, process {worker.pid}
                </div>
                {worker.load_error && (
                  <div className="error-text small break">
                    Its definitions do not load: {worker.load_error}
                  </div>
                )}
              </td>
              <td>{worker.alive ? <SlotBar busy={worker.running} slots={worker.slots} /> : '–'}</td>
              <td className="break">{worker.queues.join(', ')}</td>
              <td>
                <Code worker={worker.code_version} server={worker.alive ? version : undefined} />
              </td>
              <td>
                <Time at={worker.started_at} relative />
              </td>
              <td>
                <Time at={worker.stopped_at ?? worker.beat_at} relative />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function Code({ worker, server }: { worker: string | null; server: string | undefined }) {
  if (!worker) return <span className="soft">–</span>
  const short = <span className="mono">{worker.slice(0, 12)}</span>
  if (!server || server === worker) return short
  return (
    <Tooltip
      text={`The server has ${server.slice(0, 12)}: this worker has other code, or had no run since.`}
    >
      <button type="button" className="warn-chip">
        {short} differs
      </button>
    </Tooltip>
  )
}
