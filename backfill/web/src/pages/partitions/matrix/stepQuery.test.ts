import { expect, test } from 'vitest'

import { queriedSteps } from './stepQuery'

const STEPS = [
  { name: 'fetch', upstream: [] },
  { name: 'load', upstream: ['fetch'] },
  { name: 'clean', upstream: ['load'] },
  { name: 'count', upstream: ['load'] },
  { name: 'report', upstream: ['clean', 'count'] },
  { name: 'alone', upstream: [] },
]

test.each([
  [undefined, ['fetch', 'load', 'clean', 'count', 'report', 'alone']],
  ['load', ['load']],
  ['*load', ['fetch', 'load']],
  ['load+', ['load', 'clean', 'count']],
  ['load++', ['load', 'clean', 'count', 'report']],
  ['*load+', ['fetch', 'load', 'clean', 'count']],
  ['load*', ['load', 'clean', 'count', 'report']],
  ['+report', ['clean', 'count', 'report']],
  ['alone, *load', ['fetch', 'load', 'alone']],
  ['lo', ['load', 'alone']],
])('the query %s takes its steps in the order of the graph', (query, steps) => {
  expect(queriedSteps(STEPS, query)).toEqual({ steps, problem: null })
})

test('a part that fits nothing is told, the rest is taken', () => {
  const { steps, problem } = queriedSteps(STEPS, '*load, nope+, <x>')
  expect(steps).toEqual(['fetch', 'load'])
  expect(problem).toBe('No step fits nope+, <x>.')
})
