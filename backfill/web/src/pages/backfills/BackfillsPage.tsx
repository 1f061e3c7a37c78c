import { useQuery } from '@tanstack/react-query'

import { Page } from '@/parts/Page'
import { Pager } from '@/parts/Pager'
import { Empty, Loaded } from '@/parts/Shown'
import { StateChip } from '@/parts/StateMark'
import { Time } from '@/parts/Time'
import { backfillsQuery } from './queries'
import { backfillsRoute } from './routes'

export function BackfillsPage() {
  const { cursor } = backfillsRoute.useSearch()
  const backfills = useQuery(backfillsQuery(cursor))
  return (
    <Page title="Backfills">
      <Loaded query={backfills}>
        {({ items, next }) =>
          items.length ? (
            <>
              <div className="panel scroll-x">
                <table>
                  <thead>
                    <tr>
                      <th>Backfill</th>
                      <th>State</th>
                      <th>Partition set</th>
                      <th>Selection</th>
                      <th className="number">Finished</th>
                      <th>By</th>
                      <th>Created</th>
                    </tr>
                  </thead>
                  <tbody>
                    {items.map((backfill) => (
                      <tr key={backfill.id}>
                        <td>{backfill.id}</td>
                        <td>
                          <StateChip state={backfill.state} />
                        </td>
                        <td className="break">{backfill.partition_set}</td>
                        <td className="mono break">{backfill.selection}</td>
                        <td className="number">
                          {backfill.progress.finished.toLocaleString()} /{' '}
                          {backfill.progress.of.toLocaleString()}
                        </td>
                        <td className="break">{backfill.created_by ?? '–'}</td>
                        <td>
                          <Time at={backfill.created_at} relative />
                        </td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
              <Pager cursor={cursor} next={next} />
            </>
          ) : (
            <Empty title="No backfills yet">Submit one from a partition set.</Empty>
          )
        }
      </Loaded>
    </Page>
  )
}
