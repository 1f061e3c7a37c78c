/** How many runs are where, in the order in which bars and legends show it. */
import { RUN_FINAL, RUN_STATES, type RunState } from '@/states.generated'

/** Runs by state, and partitions that no run will be made for. */
export type Counts = Readonly<Record<RunState, number>> & { readonly unlaunched: number }

export type CountName = keyof Counts

/** What has ended first, then what is nearest to its end. */
export const COUNT_NAMES: readonly CountName[] = [
  ...RUN_STATES.filter((state) => RUN_FINAL.has(state)),
  'unlaunched',
  ...RUN_STATES.filter((state) => !RUN_FINAL.has(state)).reverse(),
]

export interface Share {
  name: CountName
  count: number
  /** Of the whole, from 0 to 1. */
  part: number
}

/** Return what there is of each, without what there is none of. */
export function sharesOf(counts: Counts): Share[] {
  const whole = COUNT_NAMES.reduce((sum, name) => sum + counts[name], 0)
  return COUNT_NAMES.filter((name) => counts[name] > 0).map((name) => ({
    name,
    count: counts[name],
    part: counts[name] / whole,
  }))
}

/** Write a share in percent; what is there is never 0 %, what is missing never 100 %. */
export function percent(part: number): string {
  if (part <= 0) return '0 %'
  if (part >= 1) return '100 %'
  return `${Math.min(99, Math.max(1, Math.round(part * 100)))} %`
}

/** Write a rate in the unit that reads best: `3.2 per second`, `12 per minute`. */
export function perTime(perSecond: number): string {
  const [value, unit] =
    perSecond >= 1
      ? [perSecond, 'second']
      : perSecond * 60 >= 1
        ? [perSecond * 60, 'minute']
        : [perSecond * 3600, 'hour']
  return `${value >= 10 ? Math.round(value).toLocaleString('en') : value.toFixed(1)} per ${unit}`
}
