import { keepPreviousData, queryOptions } from '@tanstack/react-query'

import type { Backfill } from '@/pages/backfills/queries'
import { api, ApiProblem, call, problemOf, type Schemas } from '@/api/client'
import { explicit, type Request } from './request'

/** What submitting would do now; asked again while the set's runs move. */
export function planQuery(request: Request | null, partition: string | undefined) {
  return queryOptions({
    queryKey: ['plan', request, partition],
    queryFn: ({ signal }) =>
      call(
        api.POST('/api/v1/backfills/plan', {
          params: { query: { partition: partition ?? null } },
          body: request!,
          signal,
        }),
      ),
    enabled: request !== null,
    placeholderData: keepPreviousData,
    retry: false,
    gcTime: 20_000,
    meta: { live: (moves) => request !== null && moves.ofSet(request.partition_set) },
  })
}

/** A line of the stream that validates every partition's config. */
export interface Validated {
  checked: number
  of: number
  invalid: number
  problems: Schemas['PartitionProblem'][]
  error: Schemas['Problem'] | null
}

const BUCKETS = 120

/** Statuses over the whole set, for the strip. */
export function stripQuery(set: string) {
  return queryOptions({
    queryKey: ['partition-sets', set, 'strip'],
    queryFn: ({ signal }) =>
      call(
        api.GET('/api/v1/partition-sets/{name}/overview', {
          params: { path: { name: set }, query: { buckets: BUCKETS } },
          signal,
        }),
      ),
    meta: { live: (moves) => moves.ofSet(set) },
  })
}

/** Return the key at a place of the set's order: the oldest of those that are left from there on. */
export async function keyAt(set: string, place: number, count: number): Promise<string> {
  const page = await call(
    api.GET('/api/v1/partition-sets/{name}/partitions', {
      params: { path: { name: set }, query: { select: `last:${count - place}`, limit: 1 } },
    }),
  )
  const first = page.items[0]
  if (!first) throw new ApiProblem(404, 'not_found', 'The set has changed: try again.')
  return first.key
}

/** Submit; the key makes a repeated request harmless. */
export function submit(request: Request, planned: Record<string, number>, key: string) {
  return call(
    api.POST('/api/v1/backfills', {
      params: { header: { 'Idempotency-Key': key } },
      body: { ...request, planned },
    }),
  )
}

/**
 * Submit what a backfill was made from once more. An override that was not touched is not sent:
 * its secrets are taken out of what the browser knows.
 */
export function clone(
  from: Backfill,
  request: Request,
  planned: Record<string, number>,
  key: string,
) {
  const { run_config: config = null, ...rest } = explicit(request)
  const isTouched = JSON.stringify(config) !== JSON.stringify(from.run_config)
  return call(
    api.POST('/api/v1/backfills/{backfill_id}/clone', {
      params: { path: { backfill_id: Number(from.id) }, header: { 'idempotency-key': key } },
      body: { changes: { ...rest, planned, ...(isTouched && { run_config: config }) } },
    }),
  )
}

/** Validate the config of every partition; tells after every chunk how far it is. */
export async function* validateAll(
  request: Request,
  signal: AbortSignal,
): AsyncGenerator<Validated> {
  const { response, error } = await api.POST('/api/v1/backfills/plan/validation', {
    body: request,
    signal,
    parseAs: 'stream',
  })
  if (!response.ok) throw problemOf(response.status, error)
  for await (const line of linesOf(response.body!)) {
    yield JSON.parse(line) as Validated
  }
}

async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let rest = ''
  for (;;) {
    const { done, value } = await reader.read()
    const parts = (rest + decoder.decode(value, { stream: !done })).split('\n')
    rest = done ? '' : parts.pop()!
    yield* parts.filter(Boolean)
    if (done) return
  }
}
