import { expect, test } from 'vitest'

import { isInside, joined, keyText, narrowedText, spansText } from './selectionText'

test.each([
  ['2020-05-01', '2020-05-01'],
  ['eu/paris', 'eu/paris'],
  ['2020-05-01-13:00+0200', '2020-05-01-13:00+0200'],
  ['a, b', '"a, b"'],
  ['say "hi" \\ bye', '"say \\"hi\\" \\\\ bye"'],
  ['a...b', '"a...b"'],
  ['2020-05-01|eu', '"2020-05-01|eu"'],
  ['<img src=x>', '"<img src=x>"'],
  ['failed', '"failed"'],
  ['all', '"all"'],
  ['last:30', '"last:30"'],
  ['mon', '"mon"'],
  ['fri-mon', '"fri-mon"'],
  ['7', '"7"'],
  ['nov-feb', '"nov-feb"'],
  ['13', '13'],
  ['monday', 'monday'],
  ['', '""'],
])('the key %s is written %s', (key, text) => {
  expect(keyText(key)).toBe(text)
})

test('spans are keys and ranges', () => {
  const spans = [
    { first: 'a', last: 'a' },
    { first: 'c', last: 'all' },
  ]
  expect(spansText(spans)).toBe('a, [c..."all"]')
})

test('what a filter hides between chosen columns is not chosen', () => {
  const spans = [{ first: 'a', last: 'd' }]
  expect(narrowedText(spans, undefined)).toBe('[a...d]')
  expect(narrowedText(spans, 'failed, missing')).toBe('[a...d] & (failed, missing)')
  expect(narrowedText([...spans, { first: 'x', last: 'z' }], 'failed')).toBe(
    '([a...d], [x...z]) & (failed)',
  )
  expect(narrowedText([{ first: 'a', last: 'a' }], 'failed')).toBe('a')
})

test('more is chosen beside what was', () => {
  expect(joined(undefined, 'b')).toBe('b')
  expect(joined('a', '[b...c]')).toBe('a, [b...c]')
  expect(joined('all ! x', 'x')).toBe('(all ! x), x')
})

test('a place is found in spans', () => {
  const spans = [
    { start: 2, stop: 4 },
    { start: 9, stop: 10 },
  ]
  const inside = Array.from({ length: 12 }, (_, place) => isInside(spans, place))
  expect(inside.flatMap((yes, place) => (yes ? [place] : []))).toEqual([2, 3, 9])
})
