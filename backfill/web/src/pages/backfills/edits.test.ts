import { expect, test } from 'vitest'

import { changesOf } from './edits'

test('only what differs is sent, what was emptied too', () => {
  const before = { priority: 0, tags: { a: 'b' }, limit: 4 as number | null }
  expect(changesOf(before, { priority: 0, tags: { a: 'b' }, limit: null })).toEqual({ limit: null })
  expect(changesOf(before, { ...before, tags: { a: 'c' } })).toEqual({ tags: { a: 'c' } })
})
