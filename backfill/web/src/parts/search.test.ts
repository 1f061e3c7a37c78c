import { expect, test } from 'vitest'

import {
  count,
  flag,
  list,
  oneOf,
  only,
  parseSearch,
  someOf,
  stringifySearch,
  text,
} from './search'

test('what was written is read again', () => {
  const given = { key: '2020-05-01, "x" & y', state: ['failed', 'running'], gaps: '1' }
  expect(parseSearch(stringifySearch(given))).toEqual(given)
})

test('numbers stay text, so that a key of digits is a key', () => {
  expect(parseSearch('?key=0012')).toEqual({ key: '0012' })
})

test('undefined and false are not written, true is 1', () => {
  expect(stringifySearch({ a: undefined, b: false, c: true, d: 3 })).toBe('?c=1&d=3')
  expect(stringifySearch({})).toBe('')
})

test('parameters are read forgivingly', () => {
  const raw = parseSearch('?a=x&a=y&n=12&bad=1x&f=1&e=')
  expect(text(raw, 'a')).toBe('x')
  expect(list(raw, 'a')).toEqual(['x', 'y'])
  expect(oneOf(raw, 'a', ['z', 'x'])).toBe('x')
  expect(someOf(raw, 'a', ['y'])).toEqual(['y'])
  expect(count(raw, 'n')).toBe(12)
  expect(count(raw, 'bad')).toBeUndefined()
  expect(flag(raw, 'f')).toBe(true)
  expect(text(raw, 'e')).toBeUndefined()
  expect(only({ a: 1, b: undefined })).toEqual({ a: 1 })
})
