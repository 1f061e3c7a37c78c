import { queryOptions } from '@tanstack/react-query'

import { api, call, type Schemas } from '@/api/client'

export type Pipeline = Schemas['Pipeline']
export type Step = Schemas['Step']

/** One pipeline with its graph and the schema of its run config. */
export function pipelineQuery(name: string) {
  return queryOptions({
    queryKey: ['pipelines', 'one', name],
    queryFn: ({ signal }) =>
      call(api.GET('/api/v1/pipelines/{name}', { params: { path: { name } }, signal })),
    refetchInterval: 30_000, // the server reloads when the code changes
  })
}
