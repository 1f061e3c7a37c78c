import { useQuery } from '@tanstack/react-query'

import { runsQuery } from '@/pages/runs/queries'
import { RunTable } from '@/pages/runs/RunTable'
import { Pager } from '@/parts/Pager'
import { Empty, Loaded } from '@/parts/Shown'

/** The runs of a pipeline, newest first. */
export function PipelineRuns({
  pipeline,
  cursor,
}: {
  pipeline: string
  cursor: string | undefined
}) {
  const runs = useQuery(runsQuery({ pipeline }, cursor))
  return (
    <Loaded query={runs}>
      {({ items, next }) =>
        items.length ? (
          <div className="stack">
            <RunTable items={items} within="pipeline" />
            <Pager cursor={cursor} next={next} />
          </div>
        ) : (
          <Empty title="No run of this pipeline yet" />
        )
      }
    </Loaded>
  )
}
