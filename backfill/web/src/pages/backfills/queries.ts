import { keepPreviousData, queryOptions } from '@tanstack/react-query'

import { api, call, type Schemas } from '@/api/client'
import { only } from '@/parts/search'
import { BACKFILL_FINAL, type BackfillState, type RunState } from '@/states.generated'

export type Backfill = Schemas['Backfill']

export interface BackfillFilter {
  state?: BackfillState[] | undefined
  set?: string | undefined
  pipeline?: string | undefined
  by?: string | undefined
  cursor?: string | undefined
}

/** A page of backfills, newest first. */
export function backfillsQuery(filter: BackfillFilter, limit = 50) {
  return queryOptions({
    queryKey: ['backfills', 'list', filter, limit],
    queryFn: ({ signal }) => {
      const { state, set, pipeline, by, cursor } = filter
      const query = {
        limit,
        ...only({ state, partition_set: set, pipeline, created_by: by, cursor }),
      }
      return call(api.GET('/api/v1/backfills', { params: { query }, signal }))
    },
    meta: { live: (moves) => moves.anything },
    placeholderData: keepPreviousData,
  })
}

/** One backfill: its rate and what is left of it change also while nothing moves. */
export function backfillQuery(id: string) {
  return queryOptions({
    queryKey: ['backfill', id],
    queryFn: ({ signal }) =>
      call(
        api.GET('/api/v1/backfills/{backfill_id}', {
          params: { path: { backfill_id: Number(id) } },
          signal,
        }),
      ),
    meta: { live: (moves) => moves.ofBackfill(id) },
    refetchInterval: ({ state }) => (state.data && isOver(state.data) ? false : 5_000),
  })
}

/** A page of a backfill's runs, newest first. */
export function backfillRunsQuery(
  id: string,
  filter: { state?: RunState[] | undefined; cursor?: string | undefined },
  limit = 50,
) {
  return queryOptions({
    queryKey: ['backfill', id, 'runs', filter, limit],
    queryFn: ({ signal }) =>
      call(
        api.GET('/api/v1/backfills/{backfill_id}/runs', {
          params: { path: { backfill_id: Number(id) }, query: { limit, ...only(filter) } },
          signal,
        }),
      ),
    meta: { live: (moves) => moves.ofBackfill(id) },
    placeholderData: keepPreviousData,
  })
}

export function backfillEventsQuery(id: string, cursor?: string) {
  return queryOptions({
    queryKey: ['backfill', id, 'events', { cursor }],
    queryFn: ({ signal }) =>
      call(
        api.GET('/api/v1/backfills/{backfill_id}/events', {
          params: { path: { backfill_id: Number(id) }, query: { limit: 50, ...only({ cursor }) } },
          signal,
        }),
      ),
    meta: { live: (moves) => moves.ofBackfill(id) },
    placeholderData: keepPreviousData,
  })
}

/** What failed, by error. */
export function failuresQuery(id: string) {
  return queryOptions({
    queryKey: ['backfill', id, 'failures'],
    queryFn: ({ signal }) =>
      call(
        api.GET('/api/v1/backfills/{backfill_id}/failures', {
          params: { path: { backfill_id: Number(id) }, query: { limit: 20 } },
          signal,
        }),
      ),
    meta: { live: (moves) => moves.ofBackfill(id) },
  })
}

/** How the set differs from what the backfill took of it; the definitions must answer for this. */
export function driftQuery(id: string) {
  return queryOptions({
    queryKey: ['backfill', id, 'drift'],
    queryFn: ({ signal }) =>
      call(
        api.GET('/api/v1/backfills/{backfill_id}/drift', {
          params: { path: { backfill_id: Number(id) } },
          signal,
        }),
      ),
    staleTime: 30_000,
  })
}

export function isOver(backfill: Backfill): boolean {
  return BACKFILL_FINAL.has(backfill.state)
}

/** Change a backfill by one of its verbs. */
export const steer = {
  pause: (id: string, note: string | null) =>
    call(api.POST('/api/v1/backfills/{backfill_id}/pause', { ...pathOf(id), body: { note } })),
  resume: (id: string, note: string | null) =>
    call(api.POST('/api/v1/backfills/{backfill_id}/resume', { ...pathOf(id), body: { note } })),
  cancel: (id: string, note: string | null) =>
    call(api.POST('/api/v1/backfills/{backfill_id}/cancel', { ...pathOf(id), body: { note } })),
  skip: (id: string, partition: string, note: string | null) =>
    call(
      api.POST('/api/v1/backfills/{backfill_id}/skip', {
        ...pathOf(id),
        body: { partition, note },
      }),
    ),
  retarget: (id: string) =>
    call(api.POST('/api/v1/backfills/{backfill_id}/retarget', { ...pathOf(id), body: {} })),
}

export function pathOf(id: string) {
  return { params: { path: { backfill_id: Number(id) } } }
}
