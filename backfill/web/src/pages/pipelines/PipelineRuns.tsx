import { keepPreviousData, queryOptions, useQuery } from '@tanstack/react-query'

import { api, call } from '@/api/client'
import { RunLink, SetLink } from '@/parts/links'
import { Pager } from '@/parts/Pager'
import { Empty, Loaded } from '@/parts/Shown'
import { StateChip } from '@/parts/StateMark'
import { Duration, Time } from '@/parts/Time'

function pipelineRunsQuery(pipeline: string, cursor: string | undefined) {
  return queryOptions({
    queryKey: ['runs', 'of-pipeline', pipeline, { cursor }],
    queryFn: ({ signal }) =>
      call(
        api.GET('/api/v1/runs', {
          params: { query: { pipeline, limit: 50, ...(cursor && { cursor }) } },
          signal,
        }),
      ),
    meta: { live: (moves) => moves.anything },
    placeholderData: keepPreviousData,
  })
}

/** The runs of a pipeline, newest first. */
export function PipelineRuns({
  pipeline,
  cursor,
}: {
  pipeline: string
  cursor: string | undefined
}) {
  const runs = useQuery(pipelineRunsQuery(pipeline, cursor))
  return (
    <Loaded query={runs}>
      {({ items, next }) =>
        items.length ? (
          <div className="stack">
            <div className="panel scroll-x">
              <table>
                <thead>
                  <tr>
                    <th>Run</th>
                    <th>State</th>
                    <th>Partition</th>
                    <th>Partition set</th>
                    <th>Created</th>
                    <th>Took</th>
                  </tr>
                </thead>
                <tbody>
                  {items.map((run) => (
                    <tr key={run.id}>
                      <td>
                        <RunLink id={run.id} />
                      </td>
                      <td>
                        <StateChip state={run.state} />
                      </td>
                      <td className="break">{run.partition ?? '–'}</td>
                      <td>{run.partition_set ? <SetLink name={run.partition_set} /> : '–'}</td>
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
          </div>
        ) : (
          <Empty title="No run of this pipeline yet" />
        )
      }
    </Loaded>
  )
}
