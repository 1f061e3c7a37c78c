import { expect, test } from 'vitest'

import { bodyOf, exportUrl, isNarrowed, queryOf, tagsOf } from './filter'

test('a filter is asked with the names of the API', () => {
  const filter = { state: ['failed' as const], set: 'days', tag: ['team=sales', 'q=a=b'] }
  expect(queryOf(filter)).toEqual({ state: ['failed'], partition_set: 'days', tag: filter.tag })
  expect(bodyOf(filter)).toEqual({
    state: ['failed'],
    partition_set: 'days',
    tags: { team: 'sales', q: 'a=b' },
  })
})

test('times are local in the URL and UTC for the API', () => {
  const at = '2026-01-31T12:00'
  expect(queryOf({ after: at }).created_after).toBe(new Date(at).toISOString())
  expect(queryOf({ after: 'nonsense' })).toEqual({})
})

test('an export repeats what may be several', () => {
  expect(exportUrl('runs', 'csv', { state: ['failed', 'canceled'], partition: 'a&b' })).toBe(
    '/api/v1/export/runs?format=csv&state=failed&state=canceled&partition=a%26b',
  )
})

test('nothing chosen narrows nothing', () => {
  expect(isNarrowed({ state: undefined })).toBe(false)
  expect(isNarrowed({ backfill: 3 })).toBe(true)
  expect(tagsOf(['flag'])).toEqual({ flag: '' })
})
