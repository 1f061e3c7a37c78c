import { useQuery } from '@tanstack/react-query'

import { Pager } from '@/parts/Pager'
import { Empty, Loaded } from '@/parts/Shown'
import { Time } from '@/parts/Time'
import { auditQuery } from './queries'

/** Who changed what. */
export function Audit({ cursor }: { cursor: string | undefined }) {
  const audit = useQuery(auditQuery(cursor))
  return (
    <Loaded query={audit}>
      {({ items, next }) =>
        items.length ? (
          <div className="stack">
            <div className="panel scroll-x">
              <table>
                <thead>
                  <tr>
                    <th>When</th>
                    <th>Who</th>
                    <th>Role</th>
                    <th>From</th>
                    <th>What</th>
                    <th className="number">Answer</th>
                  </tr>
                </thead>
                <tbody>
                  {items.map((entry) => (
                    <tr key={entry.id}>
                      <td>
                        <Time at={entry.at} />
                      </td>
                      <td className="break">{entry.actor}</td>
                      <td>{entry.role}</td>
                      <td className="break">{entry.address ?? '–'}</td>
                      <td className="break mono">
                        {entry.method} {entry.path}
                      </td>
                      <td className="number">{entry.status ?? 'not yet'}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
            <Pager cursor={cursor} next={next} />
          </div>
        ) : (
          <Empty title="Nobody changed anything yet" />
        )
      }
    </Loaded>
  )
}
