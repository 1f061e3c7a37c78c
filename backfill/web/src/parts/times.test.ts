import { expect, test } from 'vitest'

import { ago, duration, utc } from './times'

test.each([
  [0, '0 ms'],
  [0.00044, '0.4 ms'],
  [0.003, '3 ms'],
  [0.0124, '12 ms'],
  [3.44, '3.4 s'],
  [59.6, '1 min'],
  [125, '2 min 5 s'],
  [3720, '1 h 2 min'],
  [3 * 86400 + 4 * 3600, '3 d 4 h'],
  [-1, '0 ms'],
  [NaN, '–'],
])('a duration of %d seconds reads %s', (seconds, text) => {
  expect(duration(seconds)).toBe(text)
})

test('a moment is told in UTC whatever zone it came in', () => {
  expect(utc('2026-01-31T13:00:00.5+01:00')).toBe('2026-01-31 12:00:00.500 UTC')
})

test.each([
  [0, 'now'],
  [30, '30 s ago'],
  [-600, 'in 10 min'],
  [7200, '2 h ago'],
])('%d seconds past reads %s', (seconds, text) => {
  const at = '2026-01-31T12:00:00Z'
  expect(ago(at, Date.parse(at) + seconds * 1000)).toBe(text)
})
