import { expect, test } from 'vitest'

import { ticksOf, timelineOf } from './timeline'

const at = (seconds: number) => new Date(seconds * 1000).toISOString()
const run = (from: number | null, to: number | null) => ({
  started_at: from === null ? null : at(from),
  finished_at: to === null ? null : at(to),
})

test('runs at the same time are in lanes of their own, later ones take free lanes', () => {
  const line = timelineOf([run(0, 10), run(5, 15), run(10, 20)], 30_000)!
  expect(line.placed.map((one) => one.lane)).toEqual([0, 1, 0])
  expect(line.lanes).toBe(2)
  expect(line.placed[1]).toMatchObject({ left: 0.25, width: 0.5 })
})

test('what runs reaches until now, what has not started is not there', () => {
  const line = timelineOf([run(0, null), run(null, null)], 40_000)!
  expect(line.placed).toHaveLength(1)
  expect(line.to).toBe(40_000)
  expect(timelineOf([run(null, null)], 0)).toBeNull()
})

test('ticks are round and not too many', () => {
  expect(ticksOf(1_200, 9_000, 4)).toEqual([2_000, 4_000, 6_000, 8_000])
  expect(ticksOf(0, 86_400_000 * 400, 5).length).toBeLessThanOrEqual(6)
})
