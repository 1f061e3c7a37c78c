import { infiniteQueryOptions } from '@tanstack/react-query'

import { api, call } from '@/api/client'

/** Every run and attempt of one step of one partition, newest first. */
export function boxQuery(set: string, partition: string, step: string) {
  return infiniteQueryOptions({
    queryKey: ['matrix', set, 'box', partition, step],
    queryFn: ({ signal, pageParam }) =>
      call(
        api.GET('/api/v1/partition-sets/{name}/box', {
          params: {
            path: { name: set },
            query: { partition, step, limit: 20, ...(pageParam ? { cursor: pageParam } : {}) },
          },
          signal,
        }),
      ),
    initialPageParam: '',
    getNextPageParam: (page) => page.next,
    meta: { live: (moves) => moves.ofSet(set) },
  })
}
