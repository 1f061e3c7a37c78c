import { useQuery } from '@tanstack/react-query'

import { Page } from '@/parts/Page'
import { Pager } from '@/parts/Pager'
import { Empty, Loaded } from '@/parts/Shown'
import { StateChip } from '@/parts/StateMark'
import { Duration, Time } from '@/parts/Time'
import { runsQuery } from './queries'
import { runsRoute } from './routes'

export function RunsPage() {
  const { cursor } = runsRoute.useSearch()
  const runs = useQuery(runsQuery(cursor))
  return (
    <Page title="Runs">
      <Loaded query={runs}>
        {({ items, next }) =>
          items.length ? (
            <>
              <div className="panel scroll-x">
                <table>
                  <thead>
                    <tr>
                      <th>Run</th>
                      <th>State</th>
                      <th>Pipeline</th>
                      <th>Partition</th>
                      <th className="number">Attempt</th>
                      <th>Created</th>
                      <th>Took</th>
                    </tr>
                  </thead>
                  <tbody>
                    {items.map((run) => (
                      <tr key={run.id}>
                        <td>{run.id}</td>
                        <td>
                          <StateChip state={run.state} />
                        </td>
                        <td className="break">{run.pipeline}</td>
                        <td className="break">{run.partition ?? '–'}</td>
                        <td className="number">{run.attempt}</td>
                        <td>
                          <Time at={run.created_at} relative />
                        </td>
                        <td>
                          <Duration from={run.started_at} to={run.finished_at} />
                        </td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
              <Pager cursor={cursor} next={next} />
            </>
          ) : (
            <Empty title="No runs yet" />
          )
        }
      </Loaded>
    </Page>
  )
}
