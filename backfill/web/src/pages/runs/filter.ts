/** Which runs: as it stands in the URL, as queries ask it, as bodies carry it. */
import { only } from '@/parts/search'
import type { RunState } from '@/states.generated'

export interface RunFilter {
  state?: RunState[] | undefined
  pipeline?: string | undefined
  set?: string | undefined
  partition?: string | undefined
  backfill?: number | undefined
  schedule?: string | undefined
  /** `name=value`, each. */
  tag?: string[] | undefined
  /** Local times as a `datetime-local` field writes them. */
  after?: string | undefined
  before?: string | undefined
}

/** The parameters of `GET /runs` and the exports. */
export function queryOf(filter: RunFilter) {
  const { state, pipeline, set, partition, backfill, schedule, tag, after, before } = filter
  return only({
    state,
    pipeline,
    partition_set: set,
    partition,
    backfill,
    schedule,
    tag,
    created_after: moment(after),
    created_before: moment(before),
  })
}

/** The body of bulk cancel and re-execution, without their own fields. */
export function bodyOf(filter: RunFilter) {
  const { tag, ...rest } = queryOf(filter)
  return { ...rest, ...(tag ? { tags: tagsOf(tag) } : {}) }
}

/** The address of an export of what fits. */
export function exportUrl(
  what: 'runs' | 'outcomes',
  format: 'csv' | 'jsonl',
  filter: RunFilter,
): string {
  const parameters = new URLSearchParams({ format })
  for (const [name, value] of Object.entries(queryOf(filter))) {
    for (const one of [value].flat()) parameters.append(name, String(one))
  }
  return `/api/v1/export/${what}?${parameters.toString()}`
}

/** Read `name=value` pairs; the first sign of equality divides. */
export function tagsOf(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=')
      return at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)]
    }),
  )
}

/** Say whether anything narrows what is shown. */
export function isNarrowed(filter: RunFilter): boolean {
  return Object.keys(queryOf(filter)).length > 0
}

function moment(local: string | undefined): string | undefined {
  if (!local) return undefined
  const at = new Date(local)
  return Number.isNaN(at.getTime()) ? undefined : at.toISOString()
}
