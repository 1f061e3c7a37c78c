import { keepPreviousData, queryOptions } from '@tanstack/react-query'

import { api, call, type Schemas } from '@/api/client'
import { only } from '@/parts/search'
import { RUN_FINAL } from '@/states.generated'
import { queryOf, type RunFilter } from './filter'

export type Run = Schemas['Run']

/** A page of runs, newest first. */
export function runsQuery(filter: RunFilter, cursor?: string, limit = 50) {
  return queryOptions({
    queryKey: ['runs', 'list', filter, { cursor }, limit],
    queryFn: ({ signal }) => {
      const query = { limit, ...queryOf(filter), ...only({ cursor }) }
      return call(api.GET('/api/v1/runs', { params: { query }, signal }))
    },
    meta: { live: (moves) => moves.anything },
    placeholderData: keepPreviousData,
  })
}

export function runQuery(id: string) {
  return queryOptions({
    queryKey: ['run', id],
    queryFn: ({ signal }) => call(api.GET('/api/v1/runs/{run_id}', { ...pathOf(id), signal })),
    meta: { live: (moves) => moves.ofRun(id) },
  })
}

/** Attempts, outcomes of steps, and errors. */
export function runStepsQuery(id: string) {
  return queryOptions({
    queryKey: ['run', id, 'steps'],
    queryFn: ({ signal }) =>
      call(api.GET('/api/v1/runs/{run_id}/steps', { ...pathOf(id), signal })),
    meta: { live: (moves) => moves.ofRun(id) },
  })
}

export function runEventsQuery(id: string, cursor?: string) {
  return queryOptions({
    queryKey: ['run', id, 'events', { cursor }],
    queryFn: ({ signal }) =>
      call(
        api.GET('/api/v1/runs/{run_id}/events', {
          params: { path: { run_id: Number(id) }, query: { limit: 50, ...only({ cursor }) } },
          signal,
        }),
      ),
    meta: { live: (moves) => moves.ofRun(id) },
    placeholderData: keepPreviousData,
  })
}

/** The run with what it re-executes and what re-executes it, oldest first. */
export function lineageQuery(id: string) {
  return queryOptions({
    queryKey: ['run', id, 'lineage'],
    queryFn: ({ signal }) =>
      call(api.GET('/api/v1/runs/{run_id}/lineage', { ...pathOf(id), signal })),
    meta: { live: (moves) => moves.anything },
  })
}

export function pathOf(id: string) {
  return { params: { path: { run_id: Number(id) } } }
}

export function isOver(run: Run): boolean {
  return RUN_FINAL.has(run.state)
}
