import { useQuery } from '@tanstack/react-query'
import { useRef, useState } from 'react'

import type { Schemas } from '@/api/client'
import { StateMark, lookOf } from '@/parts/StateMark'
import { BOX_STATUSES } from '@/states.generated'
import { keyAt, stripQuery } from './queries'
import { rangeText } from './selectionText'
import styles from './Strip.module.css'
import { toastError } from '@/parts/toasts'

type Bucket = Schemas['OverviewBucket']

/** The whole set by status; drawing over it writes the range as a selection. */
export function Strip({ set, onSelect }: { set: string; onSelect: (text: string) => void }) {
  const strip = useQuery(stripQuery(set))
  const found = useRef<HTMLDivElement>(null)
  const [drawn, draw] = useState<{ from: number; to: number } | null>(null)
  const buckets = strip.data?.buckets ?? []
  if (!strip.data || !buckets.length) return null
  const { count } = strip.data
  const indexAt = (x: number) => {
    const box = found.current!.getBoundingClientRect()
    const place = Math.min(0.9999, Math.max(0, (x - box.left) / box.width)) * count
    return buckets.findIndex((bucket) => place < bucket.stop)
  }
  const select = async (from: number, to: number) => {
    const [low, high] = from < to ? [from, to] : [to, from]
    try {
      const [first, last] = await Promise.all([
        keyAt(set, buckets[low]!.start, count),
        keyAt(set, buckets[high]!.stop - 1, count),
      ])
      onSelect(rangeText(first, last))
    } catch (error) {
      toastError(error as Error)
    }
  }
  const isDrawn = (n: number) =>
    drawn !== null && n >= Math.min(drawn.from, drawn.to) && n <= Math.max(drawn.from, drawn.to)
  return (
    <div className={styles.whole}>
      <div
        ref={found}
        className={styles.strip}
        role="img"
        aria-label={wordsOf(set, buckets)}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId)
          const at = indexAt(event.clientX)
          draw({ from: at, to: at })
        }}
        onPointerMove={(event) => drawn && draw({ ...drawn, to: indexAt(event.clientX) })}
        onPointerUp={() => {
          if (drawn) void select(drawn.from, drawn.to)
          draw(null)
        }}
        onPointerCancel={() => draw(null)}
      >
        {buckets.map((bucket, n) => (
          <div
            key={bucket.start}
            className={`${styles.bucket} ${isDrawn(n) ? styles.drawn : ''}`}
            style={{ flexGrow: bucket.stop - bucket.start }}
            title={bucketWords(bucket)}
          >
            {BOX_STATUSES.filter((status) => bucket.runs[status]).map((status) => (
              <span
                key={status}
                style={{
                  flexGrow: bucket.runs[status],
                  background: lookOf(status).fill ? `var(--state-${status}-fill)` : undefined,
                }}
              />
            ))}
          </div>
        ))}
      </div>
      <div className={styles.legend}>
        <span>
          {count.toLocaleString()} partitions, oldest first: draw over them to choose a range
        </span>
        <span className="row">
          {BOX_STATUSES.filter((status) => buckets.some((one) => one.runs[status])).map(
            (status) => (
              <span key={status} className="row">
                <StateMark state={status} size={11} />
                {lookOf(status).word}
              </span>
            ),
          )}
        </span>
      </div>
    </div>
  )
}

function wordsOf(set: string, buckets: readonly Bucket[]): string {
  const sums = BOX_STATUSES.map((status) => {
    const sum = buckets.reduce((all, bucket) => all + (bucket.runs[status] ?? 0), 0)
    return sum ? `${sum.toLocaleString()} ${status}` : ''
  })
  return `Partitions of ${set}: ${sums.filter(Boolean).join(', ')}`
}

function bucketWords(bucket: Bucket): string {
  const counts = Object.entries(bucket.runs).map(([status, n]) => `${n.toLocaleString()} ${status}`)
  return `${(bucket.start + 1).toLocaleString()} to ${bucket.stop.toLocaleString()}\n${counts.join('\n')}`
}
