import { expect, test } from 'vitest'

import { inOrder, withDownstream, withUpstream } from './steps'

const STEPS = [
  { name: 'a', upstream: [] },
  { name: 'b', upstream: ['a'] },
  { name: 'c', upstream: [] },
  { name: 'd', upstream: ['b', 'c'] },
]

test('what depends on a step is downstream of it', () => {
  expect(withDownstream(STEPS, 'a')).toEqual(['a', 'b', 'd'])
  expect(withDownstream(STEPS, 'd')).toEqual(['d'])
})

test('what a step depends on is upstream of it', () => {
  expect(withUpstream(STEPS, 'd')).toEqual(['a', 'b', 'c', 'd'])
  expect(withUpstream(STEPS, 'b')).toEqual(['a', 'b'])
})

test('all steps are no choice', () => {
  expect(inOrder(STEPS, ['d', 'a'])).toEqual(['a', 'd'])
  expect(inOrder(STEPS, ['d', 'c', 'b', 'a'])).toBeUndefined()
})
