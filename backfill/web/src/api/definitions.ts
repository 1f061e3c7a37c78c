/** What the project's code defines. */
import { queryOptions } from '@tanstack/react-query'

import { api, call } from './client'

export const definitionsQuery = queryOptions({
  queryKey: ['definitions'],
  queryFn: ({ signal }) => call(api.GET('/api/v1/definitions', { signal })),
  refetchInterval: 30_000, // the server reloads when the code changes, and tells nobody
})
