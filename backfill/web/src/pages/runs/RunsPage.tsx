import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { ChevronDown, Download } from 'lucide-react'
import { useState } from 'react'

import { definitionsQuery } from '@/api/definitions'
import { useMay } from '@/api/session'
import { Button } from '@/parts/Button'
import { Filters, StateFilter, TextFilter, TimeFilter } from '@/parts/filters'
import { Menu, MenuItem } from '@/parts/overlays'
import { Page } from '@/parts/Page'
import { Pager } from '@/parts/Pager'
import { Empty, Loaded } from '@/parts/Shown'
import { RUN_STATES } from '@/states.generated'
import { BulkCancelDialog, BulkAgainDialog } from './BulkDialogs'
import { exportUrl, isNarrowed, type RunFilter } from './filter'
import { runsQuery } from './queries'
import { runsRoute } from './routes'
import { RunTable } from './RunTable'

export function RunsPage() {
  const { cursor, ...filter } = runsRoute.useSearch()
  const runs = useQuery(runsQuery(filter, cursor))
  return (
    <Page title="Runs" actions={<RunActions filter={filter} />}>
      <RunFilters filter={filter} />
      <Loaded query={runs}>
        {({ items, next }) =>
          items.length ? (
            <>
              <RunTable items={items} />
              <Pager cursor={cursor} next={next} />
            </>
          ) : isNarrowed(filter) || cursor ? (
            <Empty title="No run fits">
              <Link to="/runs">Show all runs</Link>
            </Empty>
          ) : (
            <Empty title="No runs yet">
              A backfill makes one per partition; a schedule makes them as it ticks.
            </Empty>
          )
        }
      </Loaded>
    </Page>
  )
}

function RunActions({ filter }: { filter: RunFilter }) {
  const may = useMay('operator')
  const [asking, ask] = useState<'cancel' | 'again' | null>(null)
  const narrowed = isNarrowed(filter)
  const why = may ? 'Filter the runs first.' : 'This needs the role operator.'
  const locked = may && narrowed ? {} : { disabled: true, title: why }
  return (
    <>
      <Menu
        label="Export"
        trigger={
          <Button>
            <Download size={15} aria-hidden />
            Export
            <ChevronDown size={14} aria-hidden />
          </Button>
        }
      >
        {(['runs', 'outcomes'] as const).flatMap((what) =>
          (['csv', 'jsonl'] as const).map((format) => (
            <MenuItem
              key={what + format}
              onSelect={() => window.location.assign(exportUrl(what, format, filter))}
            >
              {what === 'runs' ? 'Runs' : 'Step outcomes'} as{' '}
              {format === 'csv' ? 'CSV' : 'JSON Lines'}
            </MenuItem>
          )),
        )}
      </Menu>
      <Button onClick={() => ask('again')} {...locked}>
        Re-execute…
      </Button>
      <Button kind="danger" onClick={() => ask('cancel')} {...locked}>
        Cancel…
      </Button>
      {asking === 'cancel' && <BulkCancelDialog filter={filter} onClose={() => ask(null)} />}
      {asking === 'again' && <BulkAgainDialog filter={filter} onClose={() => ask(null)} />}
    </>
  )
}

function RunFilters({ filter }: { filter: RunFilter }) {
  const navigate = useNavigate({ from: runsRoute.fullPath })
  const { data: definitions } = useQuery(definitionsQuery)
  const change = (next: RunFilter) =>
    void navigate({ search: (old) => ({ ...old, cursor: undefined, ...next }) })
  return (
    <Filters
      label="Filter runs"
      onClear={isNarrowed(filter) ? () => void navigate({ search: {} }) : null}
    >
      <StateFilter
        states={RUN_STATES}
        chosen={filter.state}
        onChange={(state) => change({ state })}
      />
      <TextFilter
        label="Pipeline"
        value={filter.pipeline}
        onChange={(pipeline) => change({ pipeline })}
        options={definitions?.pipelines.map((one) => one.name) ?? []}
        width={140}
      />
      <TextFilter
        label="Partition set"
        value={filter.set}
        onChange={(set) => change({ set })}
        options={definitions?.partition_sets.map((one) => one.name) ?? []}
        width={140}
      />
      <TextFilter
        label="Partition"
        value={filter.partition}
        onChange={(partition) => change({ partition })}
        width={94}
      />
      <TextFilter
        label="Backfill"
        value={filter.backfill?.toString()}
        onChange={(text) =>
          change({ backfill: text && /^\d+$/.test(text) ? Number(text) : undefined })
        }
        width={62}
      />
      <TextFilter
        label="Schedule"
        value={filter.schedule}
        onChange={(schedule) => change({ schedule })}
        options={definitions?.schedules.map((one) => one.name) ?? []}
        width={94}
      />
      <TextFilter
        label="Tags"
        value={filter.tag?.join(', ')}
        onChange={(text) => change({ tag: pairsOf(text) })}
        placeholder="team=sales"
        width={104}
      />
      <TimeFilter label="From" value={filter.after} onChange={(after) => change({ after })} />
      <TimeFilter label="Before" value={filter.before} onChange={(before) => change({ before })} />
    </Filters>
  )
}

function pairsOf(text: string | undefined): string[] | undefined {
  const pairs = text
    ?.split(',')
    .map((one) => one.trim())
    .filter(Boolean)
  return pairs?.length ? pairs : undefined
}
