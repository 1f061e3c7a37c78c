/** The overview strip and the figures of steps. */
import { keepPreviousData, queryOptions } from '@tanstack/react-query'

import { api, call } from '@/api/client'

export const MOST_COUNTED = 1_000 // partitions whose steps the server counts at once

export const BUCKETS = 240

/** Return what of a set the strip is zoomed to, as the server takes it. */
export function zoomOf({ from, to }: { from?: string | undefined; to?: string | undefined }): {
  first?: string
  last?: string
} {
  return { ...(from ? { first: from } : {}), ...(to ? { last: to } : {}) }
}

/** A set, or a range of it, in buckets. */
export function overviewQuery(
  set: string,
  zoom: { first?: string; last?: string },
  buckets: number,
) {
  return queryOptions({
    queryKey: ['matrix', set, 'overview', zoom, buckets],
    queryFn: ({ signal }) =>
      call(
        api.GET('/api/v1/partition-sets/{name}/overview', {
          params: { path: { name: set }, query: { ...zoom, buckets } },
          signal,
        }),
      ),
    placeholderData: keepPreviousData,
    refetchInterval: 60_000,
    meta: { live: (moves) => moves.ofSet(set), every: 2_000 },
  })
}

/** How the steps did over the partitions between two keys. */
export function statisticsQuery(set: string, first: string, last: string) {
  return queryOptions({
    queryKey: ['matrix', set, 'statistics', first, last],
    queryFn: ({ signal }) =>
      call(
        api.GET('/api/v1/partition-sets/{name}/step-statistics', {
          params: { path: { name: set }, query: { first, last } },
          signal,
        }),
      ),
    placeholderData: keepPreviousData,
    meta: { live: (moves) => moves.ofSet(set), every: 2_000 },
  })
}
