/** The launch form as the body that plans and submits it, and a backfill as the form that made it. */
import type { Schemas } from '@/api/client'
import { toYaml } from '@/parts/editor/yamlText'
import { only } from '@/parts/search'
import { CONFLICTS, ON_TIMEOUT, ORDERINGS, type LaunchSearch } from './search'

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
      windows: form.window,
      on_conflict: form.conflict,
      run_timeout_seconds: form.run_timeout,
      timeout_seconds: form.timeout,
      on_timeout: form.timeout === undefined ? undefined : form.on_timeout,
      quiet: form.quiet,
    }),
  } as Request
}

/** Return the form that would submit the same backfill again. */
export function launchSearchOf(backfill: Schemas['Backfill']): LaunchSearch {
  const more = backfill as Partial<Record<string, unknown>>
  const breaker = (more['breaker'] ?? {}) as Record<string, number | null>
  const windows = more['windows'] as readonly unknown[] | null | undefined
  return only({
    set: backfill.partition_set,
    select: backfill.selection,
    reprocess: backfill.reprocess,
    step: backfill.steps ?? undefined,
    order: ORDERINGS.find((one) => one === backfill.ordering && one !== 'oldest'),
    line: more['depends_on_previous']
      ? ('previous' as const)
      : more['sequential']
        ? ('sequential' as const)
        : undefined,
    at_once: backfill.max_active_runs ?? undefined,
    priority: notDefault(backfill.priority, 0),
    failures: notDefault(backfill.max_failures, 0),
    tag: pairsOf(backfill.tags),
    note: backfill.note ?? undefined,
    config: backfill.run_config ? toYaml(backfill.run_config) : undefined,
    canary: numberOf(more['canary']),
    canary_percent: notDefault(numberOf(more['canary_percent']), 100),
    in_row: numberOf(breaker['in_row']),
    in_all: numberOf(breaker['in_all']),
    percent: numberOf(breaker['percent']),
    last: numberOf(breaker['last']),
    window: windows?.length ? windows.map(windowText) : undefined,
    conflict: CONFLICTS.find((one) => one === more['on_conflict'] && one !== 'wait'),
    run_timeout: numberOf(backfill.run_timeout_seconds),
    timeout: numberOf(backfill.timeout_seconds),
    on_timeout: ON_TIMEOUT.find((one) => one === backfill.on_timeout && one !== 'cancel'),
    quiet: more['quiet'] ? (true as const) : undefined,
    from: backfill.id,
  })
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

function pairsOf(tags: Readonly<Record<string, string>>): string[] | undefined {
  const pairs = Object.entries(tags).map(([name, value]) => `${name}=${value}`)
  return pairs.length ? pairs : undefined
}

function notDefault<T>(value: T, preset: unknown): T | undefined {
  return value === preset ? undefined : value
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined
}

function windowText(window: unknown): string {
  if (typeof window === 'string') return window
  const { days, start, end, zone } = window as Record<string, unknown>
  const when = Array.isArray(days) ? days.join(',') : ''
  return [when, `${String(start)}-${String(end)}`, typeof zone === 'string' ? zone : '']
    .filter(Boolean)
    .join(' ')
}
