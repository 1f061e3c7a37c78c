import { keepPreviousData, queryOptions } from '@tanstack/react-query'

import { api, call } from '@/api/client'

/** What the run of a partition would get. */
export function resolvedQuery(set: string, partition: string) {
  return queryOptions({
    queryKey: ['partition-sets', set, 'config', partition],
    queryFn: ({ signal }) =>
      call(
        api.GET('/api/v1/partition-sets/{name}/config', {
          params: { path: { name: set }, query: { partition } },
          signal,
        }),
      ),
    staleTime: 0, // the function may answer differently now
  })
}

/** The first partitions whose key holds a text; newest first when it is empty. */
export function partitionsQuery(set: string, search: string) {
  return queryOptions({
    queryKey: ['partition-sets', set, 'partitions', { search }],
    queryFn: ({ signal }) =>
      call(
        api.GET('/api/v1/partition-sets/{name}/partitions', {
          params: {
            path: { name: set },
            query: { limit: 50, ...(search ? { search } : { order: 'newest' as const }) },
          },
          signal,
        }),
      ),
    placeholderData: keepPreviousData,
  })
}

/** Whether a config fits; `text` is the key, for two texts may mean the same. */
export function validationQuery(pipeline: string, text: string, value: Record<string, unknown>) {
  return queryOptions({
    queryKey: ['pipelines', 'validation', pipeline, text],
    queryFn: ({ signal }) =>
      call(
        api.POST('/api/v1/pipelines/{name}/validate', {
          params: { path: { name: pipeline } },
          body: { run_config: value },
          signal,
        }),
      ),
    placeholderData: keepPreviousData,
  })
}
