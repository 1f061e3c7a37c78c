import { queryOptions } from '@tanstack/react-query'

import { api, call } from '@/api/client'

/** Workers, queues and who leads. */
export const fleetQuery = queryOptions({
  queryKey: ['fleet'],
  queryFn: ({ signal }) => call(api.GET('/api/v1/fleet', { signal })),
  refetchInterval: 3_000,
})
