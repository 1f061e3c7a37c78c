import { queryOptions, useQuery } from '@tanstack/react-query'

import { api, call } from '@/api/client'
import { Page } from '@/parts/Page'
import { Empty, Loaded } from '@/parts/Shown'
import { StateChip } from '@/parts/StateMark'
import { Time } from '@/parts/Time'

const schedulesQuery = queryOptions({
  queryKey: ['schedules', 'list'],
  queryFn: ({ signal }) => call(api.GET('/api/v1/schedules', { signal })),
  refetchInterval: 10_000,
})

export function SchedulesPage() {
  const schedules = useQuery(schedulesQuery)
  return (
    <Page title="Schedules">
      <Loaded query={schedules}>
        {({ items }) =>
          items.length ? (
            <div className="panel scroll-x">
              <table>
                <thead>
                  <tr>
                    <th>Schedule</th>
                    <th>State</th>
                    <th>Cron</th>
                    <th>Next tick</th>
                    <th>Last tick</th>
                  </tr>
                </thead>
                <tbody>
                  {items.map((schedule) => (
                    <tr key={schedule.name}>
                      <td className="break">{schedule.name}</td>
                      <td>
                        <StateChip state={schedule.state} />
                      </td>
                      <td className="mono">{schedule.definition?.cron ?? '–'}</td>
                      <td>
                        <Time at={schedule.next_ticks[0]} />
                      </td>
                      <td>
                        {schedule.last_tick ? <StateChip state={schedule.last_tick.state} /> : '–'}
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          ) : (
            <Empty title="No schedules">The definitions hold none.</Empty>
          )
        }
      </Loaded>
    </Page>
  )
}
