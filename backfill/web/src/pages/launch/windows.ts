/** Hours of days as text, `mon-fri 20:00-06:00 Europe/Zurich`, and as the API has them. */
import type { Schemas } from '@/api/client'

export type Window = Schemas['Window']
type Day = NonNullable<Window['days']>[number]

export const DAYS: readonly Day[] = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']
const HOURS = /^(\d{1,2}:\d{2})-(\d{1,2}:\d{2})$/
const ZONE = /^[A-Za-z]+([/_+-]\w+)*$/

/** Read a text; null when it is none. What is not said is every day, the whole day, UTC. */
export function readWindow(text: string): Window | null {
  const window: Window = {}
  for (const part of text.trim().split(/\s+/)) {
    const hours = HOURS.exec(part)
    if (hours) [window.start, window.end] = [hours[1]!, hours[2]!]
    else {
      const days = readDays(part.toLowerCase())
      if (days) window.days = days
      else if (ZONE.test(part)) window.zone = part
      else return null
    }
  }
  return window
}

/** Write a window as one reads it. */
export function windowText({ days = [...DAYS], start, end, zone }: Window): string {
  return `${daysText(days)} ${start ?? '00:00'}-${end ?? '24:00'} ${zone ?? 'UTC'}`
}

function readDays(text: string): Day[] | null {
  const found = new Set<Day>()
  for (const part of text.split(',')) {
    const [first, last = first] = part.split('-').map((name) => DAYS.findIndex((d) => d === name))
    if (first === undefined || last === undefined || first < 0 || last < 0) return null
    for (let n = first; ; n = (n + 1) % DAYS.length) {
      found.add(DAYS[n]!)
      if (n === last) break
    }
  }
  return DAYS.filter((day) => found.has(day))
}

function daysText(days: readonly Day[]): string {
  const places = days.map((day) => DAYS.indexOf(day))
  const runs = places.every((place, n) => n === 0 || place === places[n - 1]! + 1)
  return runs && days.length > 2 ? `${days[0]!}-${days.at(-1)!}` : days.join(',')
}
