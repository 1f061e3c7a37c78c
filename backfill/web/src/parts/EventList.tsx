import type { Schemas } from '@/api/client'
import { RunLink } from './links'
import { Empty } from './Shown'
import { Time } from './Time'

/** What operators did and must know, newest first. */
export function EventList({ items }: { items: readonly Schemas['Event'][] }) {
  if (!items.length) {
    return <Empty title="No events">What operators do, and what they must know, stands here.</Empty>
  }
  return (
    <div className="panel scroll-x">
      <table>
        <thead>
          <tr>
            <th>When</th>
            <th>What</th>
            <th>Message</th>
            <th>By</th>
            <th>Run</th>
          </tr>
        </thead>
        <tbody>
          {items.map((event) => (
            <tr key={event.id}>
              <td>
                <Time at={event.at} />
              </td>
              <td className="mono nowrap">{event.kind}</td>
              <td className="break">{event.message}</td>
              <td className="break" style={{ minWidth: 84 }}>
                {event.actor ?? <span className="soft">–</span>}
              </td>
              <td>
                <RunLink id={event.run_id} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
