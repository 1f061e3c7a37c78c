/** Everything that the launch form asks for, as it stands in the URL. */
import { count, flag, list, oneOf, only, text } from '@/parts/search'

export const REPROCESS = ['missing', 'failed', 'all', 'stale'] as const
export const ORDERINGS = ['oldest', 'newest', 'listed', 'weight'] as const
export const LINES = ['sequential', 'previous'] as const
export const CONFLICTS = ['wait', 'skip', 'refuse'] as const
export const ON_TIMEOUT = ['cancel', 'pause'] as const

/** Read the form from the parameters of a URL. */
export function readLaunch(raw: Record<string, unknown>) {
  return only({
    set: text(raw, 'set'),
    select: text(raw, 'select'),
    reprocess: oneOf(raw, 'reprocess', REPROCESS),
    step: list(raw, 'step'),
    order: oneOf(raw, 'order', ORDERINGS),
    line: oneOf(raw, 'line', LINES),
    at_once: count(raw, 'at_once'),
    together: count(raw, 'together'),
    priority: signed(raw, 'priority'),
    failures: count(raw, 'failures'),
    tag: list(raw, 'tag'),
    note: text(raw, 'note'),
    config: text(raw, 'config'),
    limit: count(raw, 'limit'),
    sample: count(raw, 'sample'),
    canary: count(raw, 'canary'),
    canary_percent: count(raw, 'canary_percent'),
    canary_only: flag(raw, 'canary_only'),
    in_row: count(raw, 'in_row'),
    in_all: count(raw, 'in_all'),
    percent: count(raw, 'percent'),
    last: count(raw, 'last'),
    window: list(raw, 'window'),
    conflict: oneOf(raw, 'conflict', CONFLICTS),
    run_timeout: count(raw, 'run_timeout'),
    timeout: count(raw, 'timeout'),
    on_timeout: oneOf(raw, 'on_timeout', ON_TIMEOUT),
    quiet: flag(raw, 'quiet'),
    from: text(raw, 'from'),
    partition: text(raw, 'partition'),
  })
}

export type LaunchSearch = ReturnType<typeof readLaunch>

function signed(raw: Record<string, unknown>, name: string): number | undefined {
  const value = text(raw, name)
  return value !== undefined && /^-?\d{1,4}$/.test(value) ? Number(value) : undefined
}
