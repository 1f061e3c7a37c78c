import { queryOptions } from '@tanstack/react-query'

import { api, call } from '@/api/client'

/** Workers, queues and who leads. */
export const fleetQuery = queryOptions({
  queryKey: ['fleet'],
  queryFn: ({ signal }) => call(api.GET('/api/v1/fleet', { signal })),
  refetchInterval: 3_000,
})

/** Pools, and how much of each is taken. */
export const poolsQuery = queryOptions({
  queryKey: ['pools'],
  queryFn: ({ signal }) => call(api.GET('/api/v1/pools', { signal })),
  refetchInterval: 3_000,
})

/** How many runs with a tag may be active. */
export const tagLimitsQuery = queryOptions({
  queryKey: ['tag-limits'],
  queryFn: ({ signal }) => call(api.GET('/api/v1/tag-limits', { signal })),
  refetchInterval: 5_000,
})
