/** The launch form as the body that plans and submits it, and a backfill as the form that made it. */
import type { Schemas } from '@/api/client'
import { toYaml } from '@/parts/editor/yamlText'
import { only } from '@/parts/search'
import type { LaunchSearch } from './search'
import { readWindow, windowText } from './windows'

export type Request = Schemas['BackfillRequest']

/** Return the body; the config is given apart, since its text may not be readable. */
export function requestOf(
  form: LaunchSearch & { set: string; select: string },
  config: Readonly<Record<string, unknown>> | null,
): Request {
  const breaker = only({
    in_row: form.in_row,
    in_all: form.in_all,
    percent: form.percent,
    last: form.last,
  })
  return {
    partition_set: form.set,
    selection: form.select,
    ...only({
      reprocess: form.reprocess,
      steps: form.step,
      ordering: form.order,
      sequential: form.line === 'sequential' ? true : undefined,
      depends_on_previous: form.line === 'previous' ? true : undefined,
      max_active_runs: form.at_once,
      partitions_per_run: form.together,
      priority: form.priority,
      max_failures: form.failures,
      tags: form.tag && tagsOf(form.tag),
      note: form.note,
      run_config: config && Object.keys(config).length ? config : undefined,
      limit: form.limit,
      sample: form.sample,
      canary: form.canary,
      canary_percent: form.canary === undefined ? undefined : form.canary_percent,
      canary_only: form.canary === undefined ? undefined : form.canary_only,
      breaker: Object.keys(breaker).length ? breaker : undefined,
      windows: form.window?.map((text) => readWindow(text) ?? { zone: text }),
      on_conflict: form.conflict,
      run_timeout_seconds: form.run_timeout,
      timeout_seconds: form.timeout,
      on_timeout: form.timeout === undefined ? undefined : form.on_timeout,
      quiet: form.quiet,
    }),
  }
}

/** Return a body that says everything, so that nothing is taken over from what is cloned. */
export function explicit(request: Request): Request {
  return { ...PRESETS, ...request }
}

const PRESETS = {
  max_active_runs: null,
  partitions_per_run: null,
  priority: 0,
  ordering: 'oldest',
  sequential: false,
  depends_on_previous: false,
  max_failures: 0,
  tags: {},
  steps: null,
  note: null,
  reprocess: null,
  canary: null,
  canary_percent: 100,
  canary_only: false,
  breaker: null,
  windows: null,
  on_conflict: 'wait',
  limit: null,
  sample: null,
  run_timeout_seconds: null,
  timeout_seconds: null,
  on_timeout: 'cancel',
  quiet: false,
} satisfies Partial<Request>

/** Return the form that would submit the same backfill again. */
export function launchSearchOf(backfill: Schemas['Backfill']): LaunchSearch {
  const { breaker, windows } = backfill
  return only({
    set: backfill.partition_set,
    select: backfill.selection,
    reprocess: backfill.reprocess,
    step: backfill.steps ?? undefined,
    order: other(backfill.ordering, 'oldest'),
    line: lineOf(backfill),
    at_once: backfill.max_active_runs ?? undefined,
    together: backfill.partitions_per_run ?? undefined,
    priority: other(backfill.priority, 0),
    failures: other(backfill.max_failures, 0),
    tag: pairsOf(backfill.tags),
    note: backfill.note ?? undefined,
    config: backfill.run_config ? toYaml(backfill.run_config) : undefined,
    canary: backfill.canary ?? undefined,
    canary_percent: backfill.canary ? other(backfill.canary_percent, 100) : undefined,
    in_row: breaker?.in_row ?? undefined,
    in_all: breaker?.in_all ?? undefined,
    percent: breaker?.percent ?? undefined,
    last: breaker?.last ?? undefined,
    window: windows.length ? windows.map(windowText) : undefined,
    conflict: other(backfill.on_conflict, 'wait'),
    run_timeout: backfill.run_timeout_seconds ?? undefined,
    timeout: backfill.timeout_seconds ?? undefined,
    on_timeout: backfill.on_timeout === 'pause' ? ('pause' as const) : undefined,
    quiet: backfill.quiet ? (true as const) : undefined,
    from: backfill.id,
  })
}

function lineOf(backfill: Schemas['Backfill']): LaunchSearch['line'] {
  if (backfill.depends_on_previous) return 'previous'
  return backfill.sequential ? 'sequential' : undefined
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

/** Write tags as `name=value`; undefined when there is none. */
export function pairsOf(tags: Readonly<Record<string, string>>): string[] | undefined {
  const pairs = Object.entries(tags).map(([name, value]) => `${name}=${value}`)
  return pairs.length ? pairs : undefined
}

/** Return a value unless it is the preset one. */
function other<T>(value: T, preset: T): T | undefined {
  return value === preset ? undefined : value
}
