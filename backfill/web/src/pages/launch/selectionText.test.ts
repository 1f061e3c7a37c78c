import { expect, test } from 'vitest'

import { keyText, rangeText } from './selectionText'

test.each([
  ['2020-05-01', '2020-05-01'],
  ['a, b', '"a, b"'],
  ['say "hi"\\', '"say \\"hi\\"\\\\"'],
  ['Failed', '"Failed"'],
  ['last:7', '"last:7"'],
  ['12', '"12"'],
  ['13', '13'],
  ['a...b', '"a...b"'],
  ['eu|north', 'eu|north'],
])('the key %s is written %s', (key, text) => {
  expect(keyText(key)).toBe(text)
})

test('a range of one partition is its key', () => {
  expect(rangeText('a', 'a')).toBe('a')
  expect(rangeText('a b', 'c')).toBe('["a b"...c]')
})
