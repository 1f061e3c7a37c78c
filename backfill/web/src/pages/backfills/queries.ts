import { keepPreviousData, queryOptions } from '@tanstack/react-query'

import { api, call } from '@/api/client'

/** A page of backfills, newest first. */
export function backfillsQuery(cursor: string | undefined) {
  return queryOptions({
    queryKey: ['backfills', 'list', { cursor }],
    queryFn: ({ signal }) =>
      call(
        api.GET('/api/v1/backfills', {
          params: { query: { limit: 50, cursor } },
          signal,
        }),
      ),
    meta: { live: (moves) => moves.anything },
    placeholderData: keepPreviousData,
  })
}
