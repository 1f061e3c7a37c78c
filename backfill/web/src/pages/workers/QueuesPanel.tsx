import type { Schemas } from '@/api/client'
import { Time } from '@/parts/Time'

/** What waits in each queue, and who listens. */
export function QueuesPanel({ queues }: { queues: Schemas['Queue'][] }) {
  if (!queues.length) return null
  return (
    <section className="panel" aria-labelledby="queues">
      <header>
        <h2 id="queues">Queues</h2>
      </header>
      <div className="scroll-x">
        <table>
          <thead>
            <tr>
              <th>Queue</th>
              <th className="number">Runs queued</th>
              <th className="number">Messages at the broker</th>
              <th className="number">Slots that listen</th>
              <th>Looked at</th>
            </tr>
          </thead>
          <tbody>
            {queues.map((queue) => (
              <tr key={queue.name}>
                <td className="break">
                  {queue.name}
                  {queue.queued > 0 && queue.slots === 0 && (
                    <div className="error-text small">No worker listens on it.</div>
                  )}
                </td>
                <td className="number">{queue.queued.toLocaleString()}</td>
                <td className="number">{queue.depth?.toLocaleString() ?? '–'}</td>
                <td className="number">{queue.slots}</td>
                <td>
                  <Time at={queue.seen_at} relative />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  )
}
