/** Strip, selection, grid and figures of the columns that a filter leaves. */
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { lazy, Suspense, useCallback, useEffect, useMemo, useRef, useState } from 'react'

import type { Schemas } from '@/api/client'
import { Button } from '@/parts/Button'
import { useDelayed } from '@/parts/delayed'
import { Empty, ProblemLine } from '@/parts/Shown'
import type { StepNode } from '@/parts/steps'
import { lookOf } from '@/parts/StateMark'
import { toast, toastError } from '@/parts/toasts'
import { BlockButton } from '../box/BlockButton'
import { mostFrequentAt, totalsOf } from './buckets'
import { keyQuery, placesQuery, statusAt } from './columns'
import { Grid, type Dragged, type GridHandle, type Place } from './Grid'
import { HoverCard } from './HoverCard'
import { COLUMN_WIDTHS, FOOTER, HEADER, ROW } from './layout'
import { Legend } from './Legend'
import styles from './RunMatrix.module.css'
import type { ChangeSearch } from './RunMatrix'
import { isFiltered, type ColumnFilter, type MatrixSearch } from './search'
import { SelectionBar } from './SelectionBar'
import { isInside, joined, narrowedText, type KeySpan } from './selectionText'
import { BUCKETS, MOST_COUNTED, overviewQuery, statisticsQuery, zoomOf } from './statistics'
import { queriedSteps } from './stepQuery'
import { Steps } from './Steps'
import { Strip } from './Strip'
import { TableView } from './TableView'
import { useColumns } from './useColumns'

const Durations = lazy(() => import('./Durations'))

const MOST_LISTED = 300 // keys that are written one by one where no filter can be written
const NO_FIGURES: ReadonlyMap<string, Schemas['StepStatistics']> = new Map()

interface Props {
  set: string
  filter: ColumnFilter
  search: MatrixSearch
  onSearch: ChangeSearch
  count: number
  steps: readonly string[]
  graph: readonly StepNode[]
  start: number | 'end'
}

export function Detail(props: Props) {
  const { set, filter, search, onSearch, count, steps, graph } = props
  const client = useQueryClient()
  const grid = useRef<GridHandle>(null)
  const width = COLUMN_WIDTHS[search.size ?? 'normal']
  const start = props.start === 'end' ? Math.max(0, count - 40) : props.start
  const [sight, setSight] = useState<readonly [number, number]>([
    start,
    Math.min(count, start + 60),
  ])
  const [scrolled, setScrolled] = useState(0)
  const [hover, setHover] = useState<{ place: Place; x: number; y: number } | null>(null)
  const columns = useColumns(set, filter, search.previous ?? false, sight, count)
  const { at } = columns

  const overview = useQuery(overviewQuery(set, zoomOf(search), BUCKETS))
  const buckets = useMemo(() => overview.data?.buckets ?? [], [overview.data])
  const filtered = isFiltered(filter)

  const figures = useFigures(set, sight, columns.at, filtered)
  const chosen = queriedSteps(graph, search.steps)
  const rows = useRows(graph, chosen.steps, figures, search.sort === 'failures')
  const places = useQuery({ ...placesQuery(set, search.sel ?? ''), enabled: Boolean(search.sel) })
  const ranges = search.sel ? (places.data?.ranges ?? []) : []
  const picked = search.pick ? new Set(search.pick) : null

  const onSight = useCallback((first: number, stop: number, still: boolean) => {
    setHover(null)
    if (!still && first % 8) return // while it moves, not every column matters
    setSight((old) => (old[0] === first && old[1] === stop ? old : [first, stop]))
  }, [])
  useFirstInUrl(sight, count, at, search.at, onSearch)
  useEffect(() => grid.current?.redraw(), [columns.stamp, buckets, places.data, figures])

  const keyAt = async (place: number): Promise<string> => {
    const key = at(place)?.key ?? (await client.query(keyQuery(set, filter, place)))
    if (key === null) throw new Error('The set has changed. Try again.')
    return key
  }

  const choose = async ({ columns: [first, last], rows: over, adds }: Dragged) => {
    try {
      const text = await textOf(first, last)
      if (text === null) return
      const names = over && stepsOf(rows, over)
      onSearch({
        sel: adds ? joined(search.sel, text) : text,
        pick: names && names.length < steps.length ? names : undefined,
      })
    } catch (error) {
      if (error instanceof Error) toastError(error)
    }
  }

  const textOf = async (first: number, last: number): Promise<string | null> => {
    const writable = filter.backfill === undefined && !filter.tag
    if (writable || first === last) {
      const [a, b] = await Promise.all([keyAt(first), keyAt(last)])
      return narrowedText([{ first: a, last: b }], filter.select)
    }
    if (last - first >= MOST_LISTED) {
      toast(`With this filter, choose at most ${MOST_LISTED} partitions at a time.`, { bad: true })
      return null
    }
    const keys = await Promise.all(
      Array.from({ length: last - first + 1 }, (_, n) => keyAt(first + n)),
    )
    return narrowedText(
      keys.map((key): KeySpan => ({ first: key, last: key })),
      undefined,
    )
  }

  const open = ({ column, row }: Place) => {
    const key = at(column)?.key
    const step = row === 0 ? rows[0]?.name : rows[row - 1]?.name
    if (key && step) onSearch({ part: key, step })
  }

  const jump = (place: number) => {
    if (!filtered) grid.current?.show(place - Math.floor((sight[1] - sight[0]) / 2))
  }

  const describe = ({ column, row }: Place): string => {
    const found = at(column)
    if (!found) return `Partition ${column + 1} of ${count}, loading`
    const state = row === 0 ? found.state : statusAt(found, rows[row - 1]?.place ?? 0)
    return `${found.key}, ${row === 0 ? 'run' : rows[row - 1]?.name}: ${lookOf(state).word}`
  }

  if (count === 0) {
    return filtered ? (
      <Empty title="No partition fits the filters" />
    ) : (
      <Empty title="The set has no partitions yet" />
    )
  }
  const inSight = sightInSet(sight, at, filtered)
  const height = HEADER + Math.min((rows.length + 1) * ROW, 560) + FOOTER
  return (
    <div className={styles.detail} data-ready={columns.ready || undefined}>
      <div className={styles.stripRow}>
        <Strip
          buckets={buckets}
          sight={inSight}
          onJump={jump}
          onPage={(pages) =>
            grid.current?.show(
              Math.min(count, Math.max(0, sight[0] + pages * (sight[1] - sight[0]))),
            )
          }
          onZoom={(first, last) => {
            void Promise.all([
              client.query(keyQuery(set, {}, first)),
              client.query(keyQuery(set, {}, last)),
            ]).then(([from, to]) => {
              if (from && to) onSearch({ from, to })
              jump(first + Math.floor((sight[1] - sight[0]) / 2))
            }, toastError)
          }}
        />
        <div className={styles.facts}>
          <span>
            {filtered && <strong>{count.toLocaleString()} fit the filters · </strong>}
            {(overview.data?.count ?? count).toLocaleString()} partitions
            {search.from && ' in the zoom'}
          </span>
          {search.from && (
            <Button small kind="quiet" onClick={() => onSearch({ from: undefined, to: undefined })}>
              Whole set
            </Button>
          )}
          <Legend totals={totalsOf(buckets)} />
        </div>
      </div>
      <SelectionBar
        set={set}
        text={search.sel}
        picked={search.pick}
        places={search.sel ? places.data : undefined}
        error={search.sel ? places.error : null}
        onChange={(sel) => onSearch({ sel })}
        onUnpick={() => onSearch({ pick: undefined })}
        actions={<BlockButton set={set} selection={search.sel} />}
      />
      <ProblemLine error={columns.error} />
      {chosen.problem && <p className="error-text">{chosen.problem}</p>}
      {search.view === 'table' ? (
        <TableView
          at={at}
          sight={sight}
          count={count}
          steps={steps}
          rows={rows.map((row) => row.place)}
          onOpen={open}
          onPage={(first) => setSight([first, Math.min(count, first + 60)])}
        />
      ) : (
        <div className={styles.grid}>
          <Steps
            rows={rows}
            figures={figures}
            scrolled={scrolled}
            height={height}
            query={search.steps}
            problem={chosen.problem}
            sorted={search.sort === 'failures'}
            onQuery={(query) => onSearch({ steps: query })}
            onSort={(sorted) => onSearch({ sort: sorted ? 'failures' : undefined })}
          />
          <Grid
            ref={grid}
            count={count}
            column={width}
            rows={rows.map((row) => row.place)}
            at={at}
            hint={(place) => (filtered ? null : mostFrequentAt(buckets, place))}
            chosen={(place) => {
              const index = filtered ? at(place)?.index : place
              return index !== undefined && isInside(ranges, index)
            }}
            chosenRow={(row) => !picked || row === 0 || picked.has(rows[row - 1]?.name ?? '')}
            open={placeOf(search, sight, at, rows)}
            colour={search.colour}
            start={props.start}
            label={`Run Matrix of ${set}: ${count} partitions, ${rows.length} steps`}
            describe={describe}
            onSight={onSight}
            onScrolled={setScrolled}
            onOpen={open}
            onDragged={(dragged) => void choose(dragged)}
            onHover={setHover}
          />
          <p id="matrix-keys" className="visually-hidden">
            Arrow keys move, with Control far; Home and End go to the ends; Enter opens a box; Space
            chooses a partition, Shift with the arrows several. The button As a table shows the same
            as a table.
          </p>
          {hover && <HoverCard hover={hover} column={at(hover.place.column)} rows={rows} />}
        </div>
      )}
      {search.graph && (
        <Suspense fallback={null}>
          <Durations figures={figures} rows={rows} />
        </Suspense>
      )}
    </div>
  )
}

interface Row {
  readonly name: string
  /** Its place among the steps of a column. */
  readonly place: number
  readonly depth: number
}

function useRows(
  graph: readonly StepNode[],
  names: readonly string[],
  figures: ReadonlyMap<string, Schemas['StepStatistics']>,
  sorted: boolean,
): Row[] {
  return useMemo(() => {
    const depths = new Map<string, number>()
    for (const step of graph) {
      const above = step.upstream.map((name) => (depths.get(name) ?? -1) + 1)
      depths.set(step.name, Math.max(0, ...above))
    }
    const places = new Map(graph.map((step, place) => [step.name, place]))
    const rows = names.map((name) => ({
      name,
      place: places.get(name) ?? 0,
      depth: sorted ? 0 : (depths.get(name) ?? 0),
    }))
    if (!sorted) return rows
    const failed = (row: Row) => figures.get(row.name)?.failure_percent ?? -1
    return rows.sort((a, b) => failed(b) - failed(a) || a.place - b.place)
  }, [graph, names, figures, sorted])
}

/** How the steps did in the partitions in sight, once they stand still. */
function useFigures(
  set: string,
  sight: readonly [number, number],
  at: (place: number) => { key: string } | undefined,
  filtered: boolean,
): ReadonlyMap<string, Schemas['StepStatistics']> {
  const first = at(sight[0])?.key
  const last = at(sight[1] - 1)?.key
  const wanted = useDelayed(first && last ? `${first}\0${last}` : null, 400)
  const [from = '', to = ''] = wanted?.split('\0') ?? []
  const fits = !filtered && wanted !== null && sight[1] - sight[0] <= MOST_COUNTED
  const answer = useQuery({ ...statisticsQuery(set, from, to), enabled: fits })
  return useMemo(
    () => (answer.data ? new Map(answer.data.steps.map((step) => [step.step, step])) : NO_FIGURES),
    [answer.data],
  )
}

/** Keep the first column in sight in the URL, unless it is the end that is seen. */
function useFirstInUrl(
  sight: readonly [number, number],
  count: number,
  at: (place: number) => { key: string } | undefined,
  before: string | undefined,
  onSearch: ChangeSearch,
): void {
  const first = useDelayed(sight[1] >= count ? undefined : at(sight[0])?.key, 500)
  const told = useRef(first)
  useEffect(() => {
    if (told.current === first) return
    told.current = first
    if (first !== before) onSearch({ at: first }, { replace: true })
  }, [first, before, onSearch])
}

function stepsOf(rows: readonly Row[], [from, to]: readonly [number, number]): string[] {
  return from === 0 ? [] : rows.slice(from - 1, to).map((row) => row.name)
}

/** The places in sight in the set's own order. */
function sightInSet(
  sight: readonly [number, number],
  at: (place: number) => { index: number } | undefined,
  filtered: boolean,
): readonly [number, number] {
  if (!filtered) return sight
  const first = Math.max(0, at(sight[0])?.index ?? 0) // -1: it has left the set
  return [first, Math.max(first, at(sight[1] - 1)?.index ?? first) + 1]
}

function placeOf(
  search: MatrixSearch,
  sight: readonly [number, number],
  at: (place: number) => { key: string } | undefined,
  rows: readonly Row[],
): Place | null {
  if (!search.part || !search.step) return null
  const row = rows.findIndex(({ name }) => name === search.step) + 1
  for (let column = sight[0]; row > 0 && column < sight[1]; column++) {
    if (at(column)?.key === search.part) return { column, row }
  }
  return null
}
