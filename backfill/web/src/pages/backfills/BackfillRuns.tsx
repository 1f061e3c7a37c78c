import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'

import { StateFilter, Filters } from '@/parts/filters'
import { Pager } from '@/parts/Pager'
import { Empty, Loaded } from '@/parts/Shown'
import { RunTable } from '@/pages/runs/RunTable'
import { RUN_STATES } from '@/states.generated'
import { backfillRunsQuery, type Backfill } from './queries'
import { backfillRoute } from './routes'

/** The runs of a backfill, by page, perhaps only those in some states. */
export function BackfillRuns({ backfill }: { backfill: Backfill }) {
  const { state, cursor } = backfillRoute.useSearch()
  const navigate = useNavigate({ from: backfillRoute.fullPath })
  const runs = useQuery(backfillRunsQuery(backfill.id, { state, cursor }))
  return (
    <div className="stack">
      <Filters
        label="Filter the runs"
        onClear={state ? () => void navigate({ search: { tab: 'runs' } }) : null}
      >
        <StateFilter
          states={RUN_STATES}
          chosen={state}
          onChange={(next) =>
            void navigate({ search: { tab: 'runs', ...(next && { state: next }) } })
          }
        />
      </Filters>
      <Loaded query={runs}>
        {({ items, next }) =>
          items.length ? (
            <>
              <RunTable items={items} within="backfill" />
              <Pager cursor={cursor} next={next} />
            </>
          ) : (
            <Empty title={state ? 'No run is in that state' : 'No runs yet'}>
              {!state && 'The coordinator makes them in a moment.'}
            </Empty>
          )
        }
      </Loaded>
    </div>
  )
}
