import { queryOptions, useQuery } from '@tanstack/react-query'

import { api, call } from '@/api/client'
import { Page } from '@/parts/Page'
import { Empty, Loaded } from '@/parts/Shown'
import { Time } from '@/parts/Time'

const fleetQuery = queryOptions({
  queryKey: ['fleet'],
  queryFn: ({ signal }) => call(api.GET('/api/v1/fleet', { signal })),
  refetchInterval: 5_000,
})

export function WorkersPage() {
  const fleet = useQuery(fleetQuery)
  return (
    <Page title="Workers">
      <Loaded query={fleet}>
        {({ workers }) =>
          workers.length ? (
            <div className="panel scroll-x">
              <table>
                <thead>
                  <tr>
                    <th>Worker</th>
                    <th>Host</th>
                    <th className="number">Running</th>
                    <th className="number">Slots</th>
                    <th>Queues</th>
                    <th>Last heard of</th>
                  </tr>
                </thead>
                <tbody>
                  {workers.map((worker) => (
                    <tr key={worker.id}>
                      <td className="break">{worker.name}</td>
                      <td className="break">{worker.host}</td>
                      <td className="number">{worker.running}</td>
                      <td className="number">{worker.slots}</td>
                      <td className="break">{worker.queues.join(', ')}</td>
                      <td>
                        <Time at={worker.beat_at} relative />
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          ) : (
            <Empty title="No workers">
              Start one with <code>celery -A workers worker</code>.
            </Empty>
          )
        }
      </Loaded>
    </Page>
  )
}
