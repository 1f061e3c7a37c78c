/** The detail of the matrix: a canvas that is scrolled both ways, by pointer and by keyboard. */
import {
  useCallback,
  useEffect,
  useImperativeHandle,
  useLayoutEffect,
  useRef,
  useState,
  type KeyboardEvent,
  type PointerEvent,
  type Ref,
} from 'react'

import type { AnyState } from '@/states.generated'
import { useDark } from '@/shell/theme'
import type { Column } from './columns'
import { paletteOf, type Palette } from './colours'
import styles from './Grid.module.css'
import {
  clampX,
  columnsInSight,
  FOOTER,
  HEADER,
  hit,
  longestX,
  revealing,
  ROW,
  scrollOf,
  scrollWidth,
  xOfScroll,
  type Hit,
} from './layout'
import { forgetSprites, paint } from './paint'

export interface Place {
  readonly column: number
  readonly row: number
}

/** What was dragged over: columns and rows, both ends included; no rows: all of them. */
export interface Dragged {
  readonly columns: readonly [number, number]
  readonly rows: readonly [number, number] | null
  /** Beside what was chosen before. */
  readonly adds: boolean
}

/** What others may ask of the grid. */
export interface GridHandle {
  /** Move so that a column is the first (or nearly) in sight. */
  show: (column: number) => void
  redraw: () => void
}

interface Props {
  ref?: Ref<GridHandle>
  count: number
  column: number
  /** Rows after the run's: places among the steps. */
  rows: readonly number[]
  at: (place: number) => Column | undefined
  hint: (place: number) => AnyState | null
  chosen: (place: number) => boolean
  chosenRow: (row: number) => boolean
  open: Place | null
  colour: 'age' | 'duration' | undefined
  /** Where it begins: a column, or the end. */
  start: number | 'end'
  label: string
  describe: (place: Place) => string
  onSight: (first: number, stop: number, still: boolean) => void
  onScrolled: (top: number) => void
  onOpen: (place: Place) => void
  onDragged: (dragged: Dragged) => void
  onHover: (hover: { place: Place; x: number; y: number } | null) => void
}

const STILL_MS = 90
const TALLEST = 560
const EDGE = 24

export function Grid({ ref, ...props }: Props) {
  const { count, column, rows, start, label, describe, onHover } = props
  const scroller = useRef<HTMLDivElement>(null)
  const canvas = useRef<HTMLCanvasElement>(null)
  const x = useRef(0)
  const begun = useRef(false)
  const moving = useRef<number | null>(null)
  const frame = useRef<number | null>(null)
  const drag = useRef<{ from: Hit; to: Hit; adds: boolean; moved: boolean } | null>(null)
  const palette = useRef<Palette | null>(null)
  const latest = useRef(props)
  const [width, setWidth] = useState(0)
  const [cursor, setCursor] = useState<Place | null>(null)
  const [focused, setFocused] = useState(false)
  const anchor = useRef<number | null>(null)
  const dark = useDark()
  const rowCount = rows.length + 1
  const height = HEADER + Math.min(rowCount * ROW, TALLEST) + FOOTER

  const shown = useRef({ width, height, cursor, focused })
  useLayoutEffect(() => {
    latest.current = props
    shown.current = { width, height, cursor, focused }
  })

  const view = useCallback(() => {
    const { count, column } = latest.current
    return { x: x.current, width: shown.current.width, column, count }
  }, [])

  const draw = useCallback(() => {
    frame.current = null
    const target = canvas.current
    const context = target?.getContext('2d')
    const { width, height, cursor, focused } = shown.current
    if (!target || !context || width === 0) return
    const ratio = window.devicePixelRatio || 1
    if (
      target.width !== Math.round(width * ratio) ||
      target.height !== Math.round(height * ratio)
    ) {
      target.width = Math.round(width * ratio)
      target.height = Math.round(height * ratio)
      forgetSprites()
    }
    palette.current ??= paletteOf(document.documentElement.matches(':root') && isDark())
    const now = latest.current
    const dragged = drag.current?.moved ? spanOf(drag.current) : null
    paint(context, {
      view: view(),
      height,
      scrolled: scroller.current?.scrollTop ?? 0,
      ratio,
      rows: now.rows,
      column: now.at,
      hint: now.hint,
      chosen: (place) =>
        dragged
          ? (place >= dragged.columns[0] && place <= dragged.columns[1]) ||
            (dragged.adds && now.chosen(place))
          : now.chosen(place),
      chosenRow: (row) =>
        dragged?.rows ? row >= dragged.rows[0] && row <= dragged.rows[1] : now.chosenRow(row),
      cursor: focused ? cursor : null,
      open: now.open,
      colour: now.colour,
      palette: palette.current,
      now: Date.now(),
    })
  }, [view])

  const redraw = useCallback(() => {
    frame.current ??= requestAnimationFrame(draw)
  }, [draw])

  const tellSight = useCallback(
    (still: boolean) => {
      const [first, stop] = columnsInSight(view())
      latest.current.onSight(first, stop, still)
    },
    [view],
  )

  /** Move the columns; the scroll bar follows. */
  const moveTo = useCallback(
    (wanted: number) => {
      const next = clampX({ ...view(), x: wanted })
      x.current = next
      const bar = scroller.current
      if (bar) bar.scrollLeft = scrollOf({ ...view(), x: next })
      redraw()
      tellSight(false)
      if (moving.current !== null) window.clearTimeout(moving.current)
      moving.current = window.setTimeout(() => tellSight(true), STILL_MS)
    },
    [redraw, tellSight, view],
  )

  useImperativeHandle(
    ref,
    () => ({ show: (place) => moveTo(place * latest.current.column), redraw }),
    [moveTo, redraw],
  )

  useEffect(() => {
    const box = scroller.current
    if (!box) return
    const observer = new ResizeObserver(() => setWidth(box.clientWidth))
    observer.observe(box)
    setWidth(box.clientWidth)
    return () => observer.disconnect()
  }, [])

  // The first columns in sight, and those after another width or count: stay where it was.
  const before = useRef({ column, count, atEnd: true })
  useLayoutEffect(() => {
    if (width === 0) return
    const old = before.current
    const view = { width, column, count }
    if (!begun.current) {
      begun.current = true
      moveTo(start === 'end' ? longestX(view) : start * column)
    } else if (old.column !== column) {
      const middle = (x.current + width / 2) / old.column
      moveTo(middle * column - width / 2)
    } else if (old.count !== count) {
      const wasAtEnd = x.current >= longestX({ width, column, count: old.count }) - 1
      moveTo(wasAtEnd ? longestX(view) : x.current)
    } else {
      moveTo(x.current)
    }
    before.current = { column, count, atEnd: true }
  }, [width, column, count, start, moveTo])

  useEffect(() => {
    palette.current = null
    forgetSprites()
    redraw()
  }, [dark, redraw])

  useEffect(redraw)

  const onScroll = () => {
    const bar = scroller.current!
    const expected = scrollOf(view())
    if (Math.abs(bar.scrollLeft - expected) > 1) moveTo(xOfScroll(bar.scrollLeft, view()))
    latest.current.onScrolled(bar.scrollTop)
    redraw()
  }

  // A scroll bar that is shorter than the columns moves too far at a time: turn the wheel here.
  useEffect(() => {
    const bar = scroller.current
    if (!bar) return
    const onWheel = (event: WheelEvent) => {
      const across = event.shiftKey && !event.deltaX ? event.deltaY : event.deltaX
      if (Math.abs(across) <= Math.abs(event.shiftKey ? 0 : event.deltaY)) return
      event.preventDefault()
      moveTo(x.current + across * (event.deltaMode === 1 ? 24 : 1))
    }
    bar.addEventListener('wheel', onWheel, { passive: false })
    return () => bar.removeEventListener('wheel', onWheel)
  }, [moveTo])

  const hitAt = (event: PointerEvent): Hit | null => {
    const box = canvas.current!.getBoundingClientRect()
    return hit(
      { x: event.clientX - box.left, y: event.clientY - box.top },
      { ...view(), rows: rowCount, height, scrolled: scroller.current?.scrollTop ?? 0 },
    )
  }

  const onPointerDown = (event: PointerEvent) => {
    if (event.button !== 0) return
    const found = hitAt(event)
    if (!found) return
    setCursor({ column: found.column, row: Math.max(0, found.row) })
    const adds = event.ctrlKey || event.metaKey
    const from =
      event.shiftKey && anchor.current !== null ? { ...found, column: anchor.current } : found
    drag.current = { from, to: found, adds, moved: event.shiftKey }
    if (!event.shiftKey) anchor.current = found.column
    event.currentTarget.setPointerCapture(event.pointerId)
    redraw()
  }

  const onPointerMove = (event: PointerEvent) => {
    const found = hitAt(event)
    const going = drag.current
    if (!going) {
      const place = found?.zone === 'box' ? { column: found.column, row: found.row } : null
      latest.current.onHover(place && { place, x: event.clientX, y: event.clientY })
      return
    }
    pushAtEdge(event.clientX)
    if (!found) return
    going.moved ||= found.column !== going.from.column || found.row !== going.from.row
    going.to = found
    redraw()
  }

  const onPointerUp = () => {
    const done = drag.current
    drag.current = null
    if (!done) return
    if (done.moved || done.from.zone === 'label') latest.current.onDragged(spanOf(done))
    else if (done.from.zone === 'box') latest.current.onOpen(done.from)
    redraw()
  }

  const pushAtEdge = (clientX: number) => {
    const box = canvas.current!.getBoundingClientRect()
    if (clientX < box.left + EDGE) moveTo(x.current - latest.current.column)
    else if (clientX > box.right - EDGE) moveTo(x.current + latest.current.column)
  }

  const onKeyDown = (event: KeyboardEvent) => {
    const [first, stop] = columnsInSight(view())
    const from = cursor ?? { column: Math.max(first, stop - 1), row: 0 }
    const page = Math.max(1, stop - first - 2)
    const to = movedBy(event, from, page, count, rowCount)
    if (to) {
      event.preventDefault()
      if (event.shiftKey) {
        anchor.current ??= from.column
        latest.current.onDragged({
          columns: sorted(anchor.current, to.column),
          rows: null,
          adds: false,
        })
      } else anchor.current = null
      setCursor(to)
      moveTo(revealing(to.column, view()))
      revealRow(to.row)
    } else if (event.key === 'Enter' && cursor) {
      event.preventDefault()
      latest.current.onOpen(cursor)
    } else if (event.key === ' ' && cursor) {
      event.preventDefault()
      latest.current.onDragged({
        columns: [cursor.column, cursor.column],
        rows: null,
        adds: event.ctrlKey || event.metaKey,
      })
    }
  }

  const revealRow = (row: number) => {
    const bar = scroller.current!
    const room = height - HEADER - FOOTER
    if (row * ROW < bar.scrollTop) bar.scrollTop = row * ROW
    else if ((row + 1) * ROW > bar.scrollTop + room) bar.scrollTop = (row + 1) * ROW - room
  }

  return (
    <>
      <div
        ref={scroller}
        className={styles.scroller}
        style={{ height: height + 14 }}
        tabIndex={0}
        role="application"
        aria-label={label}
        aria-describedby="matrix-keys"
        onScroll={onScroll}
        onKeyDown={onKeyDown}
        onFocus={() => setFocused(true)}
        onBlur={() => setFocused(false)}
      >
        <div
          className={styles.content}
          style={{
            width: Math.max(width, scrollWidth({ column, count })),
            height: HEADER + rowCount * ROW + FOOTER,
          }}
        >
          <canvas
            ref={canvas}
            className={styles.canvas}
            style={{ width, height }}
            aria-hidden
            onPointerDown={onPointerDown}
            onPointerMove={onPointerMove}
            onPointerUp={onPointerUp}
            onPointerCancel={() => (drag.current = null)}
            onPointerLeave={() => onHover(null)}
          />
        </div>
      </div>
      <div className="visually-hidden" aria-live="polite">
        {focused && cursor ? describe(cursor) : ''}
      </div>
    </>
  )
}

function isDark(): boolean {
  const chosen = document.documentElement.dataset['theme']
  if (chosen) return chosen === 'dark'
  return window.matchMedia('(prefers-color-scheme: dark)').matches
}

function spanOf({ from, to, adds }: { from: Hit; to: Hit; adds: boolean }): Dragged {
  const rows = from.zone === 'box' && to.zone === 'box' ? sorted(from.row, to.row) : null
  return { columns: sorted(from.column, to.column), rows, adds }
}

function sorted(a: number, b: number): [number, number] {
  return a <= b ? [a, b] : [b, a]
}

function movedBy(
  event: KeyboardEvent,
  from: Place,
  page: number,
  count: number,
  rows: number,
): Place | null {
  const far = event.ctrlKey || event.metaKey
  const steps: Record<string, [number, number]> = {
    ArrowLeft: [far ? -page : -1, 0],
    ArrowRight: [far ? page : 1, 0],
    ArrowUp: [0, far ? -rows : -1],
    ArrowDown: [0, far ? rows : 1],
    PageUp: [-page, 0],
    PageDown: [page, 0],
    Home: [-count, 0],
    End: [count, 0],
  }
  const step = steps[event.key]
  if (!step) return null
  return {
    column: Math.min(count - 1, Math.max(0, from.column + step[0])),
    row: Math.min(rows - 1, Math.max(0, from.row + step[1])),
  }
}
