/** Times in the viewer's zone with UTC on hover, and durations. */
import { useEffect, useState } from 'react'

import { ago, atZone, duration, utc } from './times'

/** A moment; with `relative`, how long ago it was. */
export function Time({
  at,
  relative = false,
}: {
  at: string | null | undefined
  relative?: boolean
}) {
  const now = useNow(relative ? 10_000 : null)
  if (!at) return <span className="soft">–</span>
  const text = relative ? ago(at, now) : atZone(at)
  return (
    <time dateTime={at} title={relative ? `${atZone(at)}\n${utc(at)}` : utc(at)} className="nowrap">
      {text}
    </time>
  )
}

/** How long something took, or takes by now when it has no end. */
export function Duration({
  from,
  to,
}: {
  from: string | null | undefined
  to?: string | null | undefined
}) {
  const now = useNow(from && !to ? 1_000 : null)
  if (!from) return <span className="soft">–</span>
  const milliseconds = (to ? Date.parse(to) : now) - Date.parse(from)
  return <span className="nowrap">{duration(milliseconds / 1000)}</span>
}

/** The time in milliseconds since the epoch, told again every so many; null: once. */
export function useNow(every: number | null): number {
  const [now, setNow] = useState(() => Date.now())
  useEffect(() => {
    if (every === null) return
    const timer = window.setInterval(() => setNow(Date.now()), every)
    return () => window.clearInterval(timer)
  }, [every])
  return now
}
