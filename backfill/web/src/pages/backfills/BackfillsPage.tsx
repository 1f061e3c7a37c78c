import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'

import { definitionsQuery } from '@/api/definitions'
import { sessionQuery } from '@/api/session'
import { Filters, StateFilter, TextFilter } from '@/parts/filters'
import { Page } from '@/parts/Page'
import { Pager } from '@/parts/Pager'
import { Empty, Loaded } from '@/parts/Shown'
import { LaunchLink } from '@/pages/launch/LaunchLink'
import { BACKFILL_STATES } from '@/states.generated'
import { BackfillTable } from './BackfillTable'
import { backfillsQuery, type BackfillFilter } from './queries'
import { backfillsRoute } from './routes'

export function BackfillsPage() {
  const filter = backfillsRoute.useSearch()
  const backfills = useQuery(backfillsQuery(filter))
  const { cursor, ...narrowing } = filter
  const isFiltered = Object.keys(narrowing).length > 0
  return (
    <Page title="Backfills" actions={<LaunchLink primary />}>
      <BackfillFilters filter={filter} />
      <Loaded query={backfills}>
        {({ items, next }) =>
          items.length ? (
            <>
              <BackfillTable items={items} />
              <Pager cursor={cursor} next={next} />
            </>
          ) : isFiltered || cursor ? (
            <Empty title="No backfill fits">
              <Link to="/backfills">Show all backfills</Link>
            </Empty>
          ) : (
            <Empty title="No backfills yet">
              Launch one over the partitions of a set; it shows up here at once.
            </Empty>
          )
        }
      </Loaded>
    </Page>
  )
}

function BackfillFilters({ filter }: { filter: BackfillFilter }) {
  const navigate = useNavigate({ from: backfillsRoute.fullPath })
  const { data: definitions } = useQuery(definitionsQuery)
  const { data: session } = useQuery(sessionQuery)
  const change = (next: BackfillFilter) =>
    void navigate({ search: (old) => ({ ...old, cursor: undefined, ...next }) })
  const isFiltered = Boolean(filter.state ?? filter.set ?? filter.pipeline ?? filter.by)
  return (
    <Filters
      label="Filter backfills"
      onClear={isFiltered ? () => void navigate({ search: {} }) : null}
    >
      <StateFilter
        states={BACKFILL_STATES}
        chosen={filter.state}
        onChange={(state) => change({ state })}
      />
      <TextFilter
        label="Partition set"
        value={filter.set}
        onChange={(set) => change({ set })}
        options={definitions?.partition_sets.map((set) => set.name) ?? []}
      />
      <TextFilter
        label="Pipeline"
        value={filter.pipeline}
        onChange={(pipeline) => change({ pipeline })}
        options={definitions?.pipelines.map((pipeline) => pipeline.name) ?? []}
      />
      <TextFilter
        label="By"
        value={filter.by}
        onChange={(by) => change({ by })}
        options={session ? [session.name] : []}
        width={120}
      />
    </Filters>
  )
}
