/** Times and durations as text. */

const zoned = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' })

/** A moment in the viewer's zone. */
export function atZone(at: string): string {
  return zoned.format(new Date(at))
}

/** A moment in UTC, to the millisecond: `2026-01-31 12:00:00.000 UTC`. */
export function utc(at: string): string {
  return `${new Date(at).toISOString().replace('T', ' ').replace('Z', '')} UTC`
}

/** How long ago (or in how long) a moment is; `now` in milliseconds since the epoch. */
export function ago(at: string, now: number): string {
  const seconds = (now - Date.parse(at)) / 1000
  if (Math.abs(seconds) < 5) return 'now'
  const text = roughly(Math.abs(seconds))
  return seconds > 0 ? `${text} ago` : `in ${text}`
}

/** A duration in its largest unit: `5 min`. */
export function roughly(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`
  if (seconds < 36 * 3600) return `${Math.round(seconds / 3600)} h`
  return `${Math.round(seconds / 86400)} d`
}

/** A duration in two units: `0.4 ms`, `12 ms`, `3.4 s`, `2 min 5 s`, `1 h 2 min`, `3 d 4 h`. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '–'
  const given = Math.max(0, seconds)
  if (given < 0.00995) return `${+(given * 1000).toFixed(1)} ms`
  if (given < 1) return `${Math.round(given * 1000)} ms`
  if (given < 10) return `${given.toFixed(1)} s`
  const whole = Math.round(given)
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return two(whole, 60, 'min', 1, 's')
  if (whole < 86400) return two(whole, 3600, 'h', 60, 'min')
  return two(whole, 86400, 'd', 3600, 'h')
}

function two(
  seconds: number,
  large: number,
  name: string,
  small: number,
  smallName: string,
): string {
  const rest = Math.floor((seconds % large) / small)
  const first = `${Math.floor(seconds / large)} ${name}`
  return rest ? `${first} ${rest} ${smallName}` : first
}
