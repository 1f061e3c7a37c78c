/** The overview strip: a whole set, or what it is zoomed to, in buckets; to jump and to zoom. */
import { useEffect, useRef, useState, type KeyboardEvent, type PointerEvent } from 'react'

import type { Schemas } from '@/api/client'
import { useDark } from '@/shell/theme'
import { fillOf, paletteOf } from './colours'
import { sharesOf } from './buckets'
import styles from './Strip.module.css'

const HEIGHT = 46
const DRAG = 4

interface Props {
  buckets: readonly Schemas['OverviewBucket'][]
  /** Places in sight, in the set's order: from the first to before the last. */
  sight: readonly [number, number]
  onJump: (place: number) => void
  /** Zoom to places, the last included. */
  onZoom: (first: number, last: number) => void
  onPage: (pages: number) => void
}

export function Strip({ buckets, sight, onJump, onZoom, onPage }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null)
  const [width, setWidth] = useState(0)
  const [drag, setDrag] = useState<{ from: number; to: number } | null>(null)
  const dark = useDark()
  const start = buckets[0]?.start ?? 0
  const stop = buckets.at(-1)?.stop ?? 0

  useEffect(() => {
    const target = canvas.current
    if (!target) return
    const observer = new ResizeObserver(() => setWidth(target.clientWidth))
    observer.observe(target)
    return () => observer.disconnect()
  }, [])

  useEffect(() => {
    const target = canvas.current
    const context = target?.getContext('2d')
    if (!target || !context || !width || stop <= start) return
    const ratio = window.devicePixelRatio || 1
    target.width = Math.round(width * ratio)
    target.height = HEIGHT * ratio
    context.scale(ratio, ratio)
    const palette = paletteOf(dark)
    const scale = width / (stop - start)
    for (const bucket of buckets) {
      const left = (bucket.start - start) * scale
      const wide = Math.max(0.6, (bucket.stop - bucket.start) * scale - (scale > 5 ? 1 : 0))
      let top = 0
      for (const { state, share } of sharesOf(bucket.runs)) {
        const tall = share * HEIGHT
        context.fillStyle = fillOf(state, dark) ?? palette.faint
        context.fillRect(left, top, wide, tall)
        top += tall
      }
    }
  }, [buckets, width, dark, start, stop])

  const share = (place: number) => (stop > start ? (place - start) / (stop - start) : 0)
  const placeAt = (event: PointerEvent): number => {
    const box = event.currentTarget.getBoundingClientRect()
    const at = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width))
    return Math.min(stop - 1, start + Math.floor(at * (stop - start)))
  }
  const isDragged = (from: number, to: number) => Math.abs(share(to) - share(from)) * width >= DRAG

  const onUp = (event: PointerEvent) => {
    if (!drag) return
    const to = placeAt(event)
    setDrag(null)
    if (isDragged(drag.from, to)) onZoom(Math.min(drag.from, to), Math.max(drag.from, to))
    else onJump(to)
  }

  const onKeyDown = (event: KeyboardEvent) => {
    const pages: Record<string, number> = {
      ArrowLeft: -1,
      ArrowRight: 1,
      PageUp: -10,
      PageDown: 10,
      Home: -Infinity,
      End: Infinity,
    }
    const moved = pages[event.key]
    if (moved === undefined) return
    event.preventDefault()
    onPage(moved)
  }

  const left = Math.max(0, share(sight[0]))
  const right = Math.min(1, share(sight[1]))
  return (
    <div
      className={styles.strip}
      role="slider"
      tabIndex={0}
      aria-label="Place in the whole set"
      aria-valuemin={start}
      aria-valuemax={Math.max(start, stop)}
      aria-valuenow={sight[0]}
      aria-valuetext={`partitions ${sight[0] + 1} to ${sight[1]} of ${stop}`}
      title="Click to go there, drag to zoom"
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId)
        setDrag({ from: placeAt(event), to: placeAt(event) })
      }}
      onPointerMove={(event) => drag && setDrag({ ...drag, to: placeAt(event) })}
      onPointerUp={onUp}
      onPointerCancel={() => setDrag(null)}
      onKeyDown={onKeyDown}
    >
      <canvas ref={canvas} className={styles.canvas} aria-hidden />
      <span
        className={styles.sight}
        style={{ left: `${left * 100}%`, width: `max(6px, ${Math.max(0, right - left) * 100}%)` }}
      />
      {drag && isDragged(drag.from, drag.to) && (
        <span
          className={styles.brush}
          style={{
            left: `${share(Math.min(drag.from, drag.to)) * 100}%`,
            width: `${Math.abs(share(drag.to) - share(drag.from)) * 100}%`,
          }}
        />
      )}
    </div>
  )
}
