/** Runs on a line of time: which lane each is in, so that none covers another. */

export interface Timed {
  started_at: string | null
  finished_at: string | null
}

export interface Placed<T> {
  item: T
  /** From 0, the one above. */
  lane: number
  /** Of the whole width, from 0 to 1. */
  left: number
  width: number
}

export interface Timeline<T> {
  placed: Placed<T>[]
  lanes: number
  /** Milliseconds since the epoch. */
  from: number
  to: number
}

/** Place what has started; what has not ended reaches until now. Null when nothing has. */
export function timelineOf<T extends Timed>(items: readonly T[], now: number): Timeline<T> | null {
  const begun = items
    .filter((item) => item.started_at)
    .map((item) => ({
      item,
      from: Date.parse(item.started_at!),
      to: item.finished_at ? Date.parse(item.finished_at) : now,
    }))
    .sort((a, b) => a.from - b.from)
  if (!begun.length) return null
  const from = begun[0]!.from
  const to = Math.max(from + 1, ...begun.map((one) => one.to))
  const ends: number[] = []
  const placed = begun.map((one) => {
    const free = ends.findIndex((end) => end <= one.from)
    const lane = free < 0 ? ends.length : free
    ends[lane] = Math.max(one.to, one.from + 1)
    return {
      item: one.item,
      lane,
      left: (one.from - from) / (to - from),
      width: Math.max(0, one.to - one.from) / (to - from),
    }
  })
  return { placed, lanes: ends.length, from, to }
}

/** Return round moments between two, at most so many, for the axis below. */
export function ticksOf(from: number, to: number, most: number): number[] {
  const wide = (to - from) / most
  const step = STEPS.find((one) => one >= wide) ?? Math.ceil(wide / DAY) * DAY
  const offset = new Date(from).getTimezoneOffset() * 60_000
  const first = Math.ceil((from - offset) / step) * step + offset
  const ticks: number[] = []
  for (let at = first; at <= to; at += step) ticks.push(at)
  return ticks
}

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const STEPS = [
  ...[0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5].map((n) => n * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * MINUTE),
  ...[1, 2, 3, 6, 12].map((n) => n * HOUR),
  DAY,
]
