/** The columns of the matrix: pages by place, kept small, asked again when something moves. */
import { queryOptions } from '@tanstack/react-query'

import { api, call, type Schemas } from '@/api/client'
import { BOX_STATUSES, type AnyState, type BoxStatus } from '@/states.generated'
import { PAGE } from './layout'
import type { ColumnFilter } from './search'

/** A partition: its newest run, and per step what its box shows. Times are milliseconds. */
export interface Column {
  readonly key: string
  /** Its place in the set's order, whatever is filtered; -1 once it has left the set. */
  readonly index: number
  readonly runs: number
  readonly runId: string | null
  readonly state: AnyState
  readonly blocked: string | null
  /** Which boxes an operator gave their status; null: none. */
  readonly marked: Uint8Array | null
  readonly started: number
  readonly finished: number
  /** Places in BOX_STATUSES. */
  readonly status: Uint8Array
  readonly previous: Uint8Array | null
  readonly from: Float64Array
  readonly to: Float64Array
  readonly boxRun: readonly (string | null)[]
}

const NONE = 255
const CODES = new Map<string, number>(BOX_STATUSES.map((status, code) => [status, code]))

export function statusAt(column: Column, step: number): BoxStatus {
  return BOX_STATUSES[column.status[step] ?? 0] ?? 'missing'
}

export function previousAt(column: Column, step: number): BoxStatus | null {
  const code = column.previous?.[step] ?? NONE
  return code === NONE ? null : (BOX_STATUSES[code] ?? null)
}

/** How long a box took, in milliseconds; NaN while it is not over. */
export function tookAt(column: Column, step: number): number {
  return column.to[step]! - column.from[step]!
}

type Asked = { order?: Schemas['Order']; place?: number; start?: string; limit: number }

/** What one page answers, made small. */
export function pageQuery(set: string, filter: ColumnFilter, previous: boolean, page: number) {
  return queryOptions({
    queryKey: ['matrix', set, filter, 'page', page, previous],
    queryFn: async ({ signal }) => {
      const asked = { order: 'oldest' as const, place: page * PAGE, limit: PAGE }
      const answer = await askMatrix(set, filter, asked, previous, signal)
      return { place: answer.place, columns: answer.items.map(columnOf) }
    },
    structuralSharing: false,
    gcTime: 15_000,
    staleTime: 20_000,
    meta: { live: (moves) => moves.ofSet(set), every: 700 },
  })
}

/** How many columns there are, and of what steps. */
export function headQuery(set: string, filter: ColumnFilter) {
  return queryOptions({
    queryKey: ['matrix', set, filter, 'head'],
    queryFn: async ({ signal }) => {
      const asked = { order: 'newest' as const, limit: 1 }
      const answer = await askMatrix(set, filter, asked, false, signal)
      return { count: answer.count, steps: answer.steps, pipeline: answer.pipeline }
    },
    refetchInterval: 30_000, // time makes new partitions
    meta: { live: (moves) => isNarrowed(filter) && moves.ofSet(set), every: 5_000 },
  })
}

/** Where a key's column is. */
export function placeQuery(set: string, filter: ColumnFilter, key: string) {
  return queryOptions({
    queryKey: ['matrix', set, filter, 'place', key],
    queryFn: async ({ signal }) => {
      const asked = { order: 'oldest' as const, start: key, limit: 1 }
      return (await askMatrix(set, filter, asked, false, signal)).place
    },
    retry: false,
  })
}

/** The key of a column that is not loaded. */
export function keyQuery(set: string, filter: ColumnFilter, place: number) {
  return queryOptions({
    queryKey: ['matrix', set, filter, 'key', place],
    queryFn: async ({ signal }) => {
      const asked = { order: 'oldest' as const, place, limit: 1 }
      return (await askMatrix(set, filter, asked, false, signal)).items[0]?.key ?? null
    },
  })
}

/** Where the partitions of a selection are. */
export function placesQuery(set: string, select: string) {
  return queryOptions({
    queryKey: ['matrix', set, 'places', select],
    queryFn: ({ signal }) =>
      call(
        api.GET('/api/v1/partition-sets/{name}/places', {
          params: { path: { name: set }, query: { select } },
          signal,
        }),
      ),
    retry: false,
    meta: { live: (moves) => moves.ofSet(set), every: 5_000 },
  })
}

function askMatrix(
  set: string,
  filter: ColumnFilter,
  asked: Asked,
  previous: boolean,
  signal: AbortSignal,
): Promise<Schemas['MatrixPage']> {
  const query = { ...filter, ...asked, ...(previous ? { previous } : {}) }
  return call(
    api.GET('/api/v1/partition-sets/{name}/matrix', {
      params: { path: { name: set }, query },
      signal,
    }),
  )
}

function isNarrowed(filter: ColumnFilter): boolean {
  return Object.keys(filter).length > 0
}

function columnOf(row: Schemas['MatrixRow']): Column {
  const { boxes } = row
  const hasPrevious = boxes.some((box) => box.previous)
  return {
    key: row.key,
    index: row.index ?? -1,
    runs: row.runs,
    runId: row.run_id,
    state: row.mark?.status ?? row.state ?? (row.blocked !== null ? 'blocked' : 'missing'),
    blocked: row.blocked,
    marked: boxes.some((box) => box.marked)
      ? Uint8Array.from(boxes, (box) => Number(box.marked))
      : null,
    started: milliseconds(row.started_at),
    finished: milliseconds(row.finished_at),
    status: Uint8Array.from(boxes, (box) => CODES.get(box.status) ?? 0),
    previous: hasPrevious
      ? Uint8Array.from(boxes, (box) => (box.previous ? (CODES.get(box.previous) ?? NONE) : NONE))
      : null,
    from: Float64Array.from(boxes, (box) => milliseconds(box.started_at)),
    to: Float64Array.from(boxes, (box) => milliseconds(box.finished_at)),
    boxRun: boxes.map((box) => (box.run_id === row.run_id ? row.run_id : box.run_id)),
  }
}

function milliseconds(at: string | null | undefined): number {
  return at ? Date.parse(at) : NaN
}
