import { expect, test } from 'vitest'

import { COUNT_NAMES, percent, perTime, sharesOf, type Counts } from './counts'

const none = Object.fromEntries(COUNT_NAMES.map((name) => [name, 0])) as unknown as Counts

test('a bar begins with what has ended and ends with what waits', () => {
  expect(COUNT_NAMES[0]).toBe('succeeded')
  expect(COUNT_NAMES.at(-1)).toBe('pending')
  expect(new Set(COUNT_NAMES).size).toBe(8)
})

test('shares leave out what there is none of', () => {
  expect(sharesOf({ ...none, succeeded: 3, running: 1 })).toEqual([
    { name: 'succeeded', count: 3, part: 0.75 },
    { name: 'running', count: 1, part: 0.25 },
  ])
  expect(sharesOf(none)).toEqual([])
})

test.each([
  [0, '0 %'],
  [0.0001, '1 %'],
  [0.5, '50 %'],
  [0.9999, '99 %'],
  [1, '100 %'],
])('%d of the whole reads %s', (part, text) => {
  expect(percent(part)).toBe(text)
})

test.each([
  [250, '250 per second'],
  [3.21, '3.2 per second'],
  [0.2, '12 per minute'],
  [0.001, '3.6 per hour'],
])('%d a second reads %s', (rate, text) => {
  expect(perTime(rate)).toBe(text)
})
