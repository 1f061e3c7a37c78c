import { expect, test } from 'vitest'

import { added, cutAt, fitting, rank, type Log, type LogLine } from './logs'

const EMPTY: Log = { lines: [], next: undefined, ended: false, more: false, dropped: 0 }

function line(id: string, level = 'info', message = `line ${id}`): LogLine {
  return { id, attempt: 1, step: 'load', at: '2026-01-31T12:00:00Z', level, message }
}

test('a page is added behind what is there, and tells where to go on', () => {
  const first = added(EMPTY, { items: [line('1')], next: 'a', ended: false })
  const second = added(first, { items: [line('2')], next: 'b', ended: true })
  expect(second.lines.map((one) => one.id)).toEqual(['1', '2'])
  expect(second).toMatchObject({ next: 'b', ended: true, more: false })
})

test('of too many lines the oldest go', () => {
  const log = added(EMPTY, { items: [line('1'), line('2'), line('3')], next: 'a', ended: false }, 2)
  expect(log.lines.map((one) => one.id)).toEqual(['2', '3'])
  expect(log.dropped).toBe(1)
})

test('lines are found by level and by text', () => {
  const lines = [line('1', 'debug'), line('2', 'warning', 'Disk is FULL'), line('3', 'critical')]
  expect(fitting(lines, 'warning', undefined).map((one) => one.id)).toEqual(['2', '3'])
  expect(fitting(lines, undefined, 'full').map((one) => one.id)).toEqual(['2'])
  expect(fitting(lines, undefined, 'LOAD')).toHaveLength(3)
  expect(fitting(lines, undefined, undefined)).toBe(lines)
})

test('a level that nobody knows counts as info', () => {
  expect(rank('notice')).toBe(rank('info'))
  expect(rank('critical')).toBeGreaterThan(rank('error'))
})

test('a text is cut where another stands in it', () => {
  expect(cutAt('aXbxc', 'x')).toEqual(['a', 'X', 'b', 'x', 'c'])
  expect(cutAt('abc', '')).toEqual(['abc'])
})
