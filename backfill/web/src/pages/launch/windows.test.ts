import { expect, test } from 'vitest'

import { readWindow, windowText } from './windows'

test('hours are read as people write them', () => {
  expect(readWindow('mon-fri 20:00-06:00 Europe/Zurich')).toEqual({
    days: ['mon', 'tue', 'wed', 'thu', 'fri'],
    start: '20:00',
    end: '06:00',
    zone: 'Europe/Zurich',
  })
  expect(readWindow('fri-mon')).toEqual({ days: ['mon', 'fri', 'sat', 'sun'] })
  expect(readWindow('Sat,sun 01:00-05:00')?.days).toEqual(['sat', 'sun'])
  expect(readWindow('01:00-05:00 UTC')).toEqual({ start: '01:00', end: '05:00', zone: 'UTC' })
})

test('what is no window is none', () => {
  expect(readWindow('abc-def 1')).toBeNull()
  expect(readWindow('20-21')).toBeNull()
})

test('what is written is read again', () => {
  const text = 'mon-fri 20:00-06:00 Europe/Zurich'
  expect(windowText(readWindow(text)!)).toBe(text)
  expect(windowText({})).toBe('mon-sun 00:00-24:00 UTC')
})
