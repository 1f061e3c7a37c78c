import { expect, test } from 'vitest'

import type { Schemas } from '@/api/client'
import { bucketAt, mostFrequentAt, sharesOf, totalsOf } from './buckets'

const BUCKETS: Schemas['OverviewBucket'][] = [
  { start: 0, stop: 1000, runs: { succeeded: 990, failed: 10 }, steps: {} },
  { start: 1000, stop: 1500, runs: { missing: 500 }, steps: {} },
]

test('the shares of a bucket fill it', () => {
  const shares = sharesOf({ succeeded: 500, missing: 250, running: 250 })
  expect(shares.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1)
  expect(shares.map(({ state }) => state)).toEqual(['running', 'succeeded', 'missing'])
})

test('one failure of a thousand is seen', () => {
  const failed = sharesOf({ succeeded: 999, failed: 1 }).find(({ state }) => state === 'failed')
  expect(failed!.share).toBeGreaterThan(0.05)
})

test('nothing has no shares', () => {
  expect(sharesOf({})).toEqual([])
})

test('a place is found in its bucket', () => {
  expect(bucketAt(BUCKETS, 999)?.start).toBe(0)
  expect(bucketAt(BUCKETS, 1000)?.start).toBe(1000)
  expect(bucketAt(BUCKETS, 1500)).toBeUndefined()
  expect(mostFrequentAt(BUCKETS, 3)).toBe('succeeded')
  expect(mostFrequentAt(BUCKETS, 1600)).toBeNull()
})

test('totals count partitions by the status of their newest run', () => {
  expect([...totalsOf(BUCKETS)]).toEqual([
    ['succeeded', 990],
    ['failed', 10],
    ['missing', 500],
  ])
})
