import { keepPreviousData, queryOptions } from '@tanstack/react-query'

import { api, call } from '@/api/client'

/** A page of runs, newest first. */
export function runsQuery(cursor: string | undefined) {
  return queryOptions({
    queryKey: ['runs', 'list', { cursor }],
    queryFn: ({ signal }) =>
      call(
        api.GET('/api/v1/runs', {
          params: { query: { limit: 50, cursor } },
          signal,
        }),
      ),
    meta: { live: (moves) => moves.anything },
    placeholderData: keepPreviousData,
  })
}
