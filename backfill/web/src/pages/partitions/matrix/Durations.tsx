/** How long the steps took, partition by partition. Click a step to see it alone. */
import { useEffect, useRef, useState } from 'react'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'

import type { Schemas } from '@/api/client'
import { duration } from '@/parts/times'
import { useDark } from '@/shell/theme'
import { paletteOf } from './colours'
import styles from './Durations.module.css'

const HEIGHT = 220

interface Props {
  figures: ReadonlyMap<string, Schemas['StepStatistics']>
  rows: readonly { name: string }[]
}

export default function Durations({ figures, rows }: Props) {
  const place = useRef<HTMLDivElement>(null)
  const [only, setOnly] = useState<readonly string[]>([])
  const dark = useDark()
  const names = rows.map((row) => row.name).filter((name) => figures.has(name))
  const shown = only.length ? names.filter((name) => only.includes(name)) : names

  useEffect(() => {
    const target = place.current
    if (!target || !shown.length) return
    const palette = paletteOf(dark)
    const series = shown.map((name) => figures.get(name)!.series)
    const keys = series[0]!.map((point) => point.partition)
    const lines = series.map((points) => points.map((point) => point.seconds))
    const total = keys.map((_, n) => sumOf(lines, n))
    const withTotal = shown.length > 1
    const axis = {
      stroke: palette.soft,
      grid: { stroke: palette.line, width: 1 },
      ticks: { stroke: palette.line, width: 1 },
    }
    const plot = new uPlot(
      {
        width: target.clientWidth,
        height: HEIGHT,
        padding: [8, 44, 0, 0],
        legend: { show: false },
        cursor: { drag: { x: false, y: false } },
        scales: { x: { time: false } },
        axes: [
          {
            ...axis,
            space: 100,
            values: (_, at) => at.map((n) => (Number.isInteger(n) ? short(keys[n]) : '')),
          },
          { ...axis, size: 72, values: (_, at) => at.map((seconds) => duration(seconds)) },
        ],
        series: [
          {},
          ...shown.map((name) => ({
            label: name,
            stroke: colourOf(names.indexOf(name), dark),
            width: 1.5,
            points: { show: keys.length < 80, size: 4 },
          })),
          ...(withTotal
            ? [{ label: 'total', stroke: palette.text, width: 1.5, dash: [5, 4] }]
            : []),
        ],
      },
      [keys.map((_, n) => n), ...lines, ...(withTotal ? [total] : [])],
      target,
    )
    const observer = new ResizeObserver(() =>
      plot.setSize({ width: target.clientWidth, height: HEIGHT }),
    )
    observer.observe(target)
    return () => {
      observer.disconnect()
      plot.destroy()
    }
  })

  const toggle = (name: string, beside: boolean) => {
    if (!beside) setOnly(only.length === 1 && only[0] === name ? [] : [name])
    else setOnly(only.includes(name) ? only.filter((one) => one !== name) : [...only, name])
  }
  return (
    <section className="panel padded" aria-label="Durations">
      <div className={styles.legend}>
        <h2>Durations</h2>
        {names.map((name, n) => (
          <button
            key={name}
            type="button"
            className={styles.entry}
            aria-pressed={only.includes(name)}
            title="Alone; with Shift, beside the others"
            onClick={(event) => toggle(name, event.shiftKey)}
          >
            <span className={styles.line} style={{ background: colourOf(n, dark) }} />
            {name}
            <span className="soft">{typical(figures.get(name))}</span>
          </button>
        ))}
      </div>
      {names.length ? <div ref={place} /> : <p className="soft">Nothing has run here yet.</p>}
    </section>
  )
}

function short(key: string | undefined): string {
  return key && key.length > 14 ? `${key.slice(0, 13)}…` : (key ?? '')
}

function typical(figures: Schemas['StepStatistics'] | undefined): string {
  return figures?.durations ? `half within ${duration(figures.durations.p50)}` : ''
}

function sumOf(lines: readonly (readonly (number | null)[])[], n: number): number | null {
  const there = lines.flatMap((line) => line[n] ?? [])
  return there.length ? there.reduce((sum, seconds) => sum + seconds, 0) : null
}

function colourOf(n: number, dark: boolean): string {
  return `hsl(${(210 + n * 137.5) % 360} 60% ${dark ? 66 : 40}%)`
}
