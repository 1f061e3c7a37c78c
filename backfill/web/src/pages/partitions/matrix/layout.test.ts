import { describe, expect, test } from 'vitest'

import {
  clampX,
  columnsInSight,
  FOOTER,
  HEADER,
  hit,
  labelStride,
  pagesOf,
  revealing,
  ROW,
  scrollOf,
  scrollWidth,
  xOfScroll,
  LONGEST_SCROLL,
} from './layout'

const view = { x: 0, width: 1000, column: 24, count: 1_000_000 }

test('the columns in sight include those that are cut off', () => {
  expect(columnsInSight({ ...view, x: 30 })).toEqual([1, 43])
  expect(columnsInSight({ ...view, count: 31 })).toEqual([0, 31])
  expect(columnsInSight({ ...view, count: 0 })).toEqual([0, 0])
})

test('pages cover the columns in sight and no more', () => {
  expect(pagesOf(0, 100)).toEqual([0])
  expect(pagesOf(99, 101)).toEqual([0, 1])
  expect(pagesOf(250, 250)).toEqual([])
})

test('a position stays within the columns', () => {
  expect(clampX({ ...view, x: -5 })).toBe(0)
  expect(clampX({ ...view, x: 1e12 })).toBe(24_000_000 - 1000)
  expect(clampX({ ...view, x: 500, count: 3 })).toBe(0)
})

describe('a scroll bar for more columns than a browser lays out', () => {
  test('is no longer than it may be', () => {
    expect(scrollWidth(view)).toBe(LONGEST_SCROLL)
    expect(scrollWidth({ column: 24, count: 31 })).toBe(744)
  })

  test('reaches both ends', () => {
    expect(xOfScroll(0, view)).toBe(0)
    expect(xOfScroll(LONGEST_SCROLL - view.width, view)).toBe(24_000_000 - 1000)
  })

  test.each([0, 12_345, 9_999_999, 23_999_000])('leads back to where it was: %d', (x) => {
    expect(xOfScroll(scrollOf({ ...view, x }), view)).toBeCloseTo(x, 3)
  })
})

test('revealing a column moves as little as it can', () => {
  expect(revealing(2, { ...view, x: 100 })).toBe(48)
  expect(revealing(10, { ...view, x: 100 })).toBe(100)
  expect(revealing(100, { ...view, x: 100 })).toBe(101 * 24 - 1000)
})

test('a point is a label, a box, a foot or nothing', () => {
  const at = (x: number, y: number) =>
    hit({ x, y }, { ...view, x: 240, rows: 3, height: HEADER + 10 * ROW + FOOTER, scrolled: ROW })
  expect(at(25, 5)).toEqual({ zone: 'label', column: 11, row: -1 })
  expect(at(25, HEADER + 1)).toEqual({ zone: 'box', column: 11, row: 1 })
  expect(at(25, HEADER + 5 * ROW)).toBeNull()
  expect(at(0, HEADER + 10 * ROW + 1)).toEqual({ zone: 'foot', column: 10, row: -1 })
  expect(at(-1, 5)).toBeNull()
})

test('labels of narrow columns leave some out', () => {
  expect(labelStride(24)).toBe(1)
  expect(labelStride(8)).toBe(2)
  expect(labelStride(2)).toBe(8)
})
