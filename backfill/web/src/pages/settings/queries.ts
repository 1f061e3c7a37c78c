import { keepPreviousData, queryOptions } from '@tanstack/react-query'

import { api, call } from '@/api/client'

/** Every token, without its secret; for admins. */
export const tokensQuery = queryOptions({
  queryKey: ['tokens'],
  queryFn: ({ signal }) => call(api.GET('/api/v1/tokens', { signal })),
})

/** A page of who changed what, newest first; for operators. */
export function auditQuery(cursor: string | undefined) {
  return queryOptions({
    queryKey: ['audit', { cursor }],
    queryFn: ({ signal }) =>
      call(
        api.GET('/api/v1/audit', {
          params: { query: { limit: 100, ...(cursor && { cursor }) } },
          signal,
        }),
      ),
    refetchInterval: 10_000,
    placeholderData: keepPreviousData,
  })
}

export const healthQuery = queryOptions({
  queryKey: ['health'],
  queryFn: ({ signal }) => call(api.GET('/healthz', { signal })),
})
