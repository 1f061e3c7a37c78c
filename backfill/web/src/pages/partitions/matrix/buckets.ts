/** Arithmetic of the overview strip. */
import type { Schemas } from '@/api/client'
import { BOX_STATUSES, RUN_STATES, type AnyState } from '@/states.generated'

type Bucket = Schemas['OverviewBucket']

// What needs somebody is drawn last, so that a few of many are seen.
const ORDER: readonly AnyState[] = [
  'missing',
  'skipped',
  'canceled',
  'succeeded',
  'pending',
  'queued',
  'running',
  'retrying',
  'blocked',
  'failed',
]
const LEAST = 0.06 // the least share of the height that any failure gets

export interface Share {
  readonly state: AnyState
  readonly share: number
}

/** The shares of a bucket's height, from the top; their sum is 1. */
export function sharesOf(runs: Readonly<Record<string, number>>): Share[] {
  const there = ORDER.filter((state) => (runs[state] ?? 0) > 0)
  const total = there.reduce((sum, state) => sum + runs[state]!, 0)
  if (!total) return []
  const raised = there.map((state) => ({
    state,
    share: Math.max(runs[state]! / total, state === 'missing' ? 0 : LEAST),
  }))
  const sum = raised.reduce((all, one) => all + one.share, 0)
  return raised.map(({ state, share }) => ({ state, share: share / sum })).reverse()
}

/** The bucket that holds a place, and its most frequent status. */
export function mostFrequentAt(buckets: readonly Bucket[], place: number): AnyState | null {
  const bucket = bucketAt(buckets, place)
  if (!bucket) return null
  const [most] = Object.entries(bucket.runs).sort((a, b) => b[1] - a[1])
  return most && isState(most[0]) ? most[0] : null
}

export function bucketAt(buckets: readonly Bucket[], place: number): Bucket | undefined {
  let low = 0
  let high = buckets.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (buckets[middle]!.stop <= place) low = middle + 1
    else high = middle
  }
  return buckets[low]
}

/** How many partitions of all buckets show each status. */
export function totalsOf(buckets: readonly Bucket[]): Map<AnyState, number> {
  const totals = new Map<AnyState, number>()
  for (const { runs } of buckets) {
    for (const [state, count] of Object.entries(runs)) {
      if (isState(state)) totals.set(state, (totals.get(state) ?? 0) + count)
    }
  }
  return totals
}

function isState(name: string): name is AnyState {
  return (
    (BOX_STATUSES as readonly string[]).includes(name) ||
    (RUN_STATES as readonly string[]).includes(name)
  )
}
