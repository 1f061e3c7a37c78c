/** The view state of a Run Matrix, as it is in the URL. */
import { flag, list, oneOf, only, text } from '@/parts/search'

export const COLOURS = ['age', 'duration'] as const
export const SIZES = ['small', 'large'] as const

export interface MatrixSearch {
  /** Key of the first column in sight; none: the newest are. */
  at?: string
  /** Keys that the strip is zoomed to. */
  from?: string
  to?: string
  /** What is chosen: a text of the selection language, and the steps (none: all). */
  sel?: string
  pick?: string[]
  /** Filters: a selection, gaps and failures only, runs of a backfill or with tags. */
  select?: string
  gaps?: true
  backfill?: string
  tag?: string[]
  /** Which rows: a step query; and their order. */
  steps?: string
  sort?: 'failures'
  colour?: (typeof COLOURS)[number]
  previous?: true
  size?: (typeof SIZES)[number]
  view?: 'table'
  graph?: true
  /** The box that is open. */
  part?: string
  step?: string
}

export function matrixSearch(raw: Record<string, unknown>): MatrixSearch {
  const backfill = text(raw, 'backfill')
  return only({
    at: text(raw, 'at'),
    from: text(raw, 'from'),
    to: text(raw, 'to'),
    sel: text(raw, 'sel'),
    pick: list(raw, 'pick'),
    select: text(raw, 'select'),
    gaps: flag(raw, 'gaps'),
    backfill: backfill && /^\d{1,18}$/.test(backfill) ? backfill : undefined,
    tag: list(raw, 'tag'),
    steps: text(raw, 'steps'),
    sort: oneOf(raw, 'sort', ['failures']),
    colour: oneOf(raw, 'colour', COLOURS),
    previous: flag(raw, 'previous'),
    size: oneOf(raw, 'size', SIZES),
    view: oneOf(raw, 'view', ['table']),
    graph: flag(raw, 'graph'),
    part: text(raw, 'part'),
    step: text(raw, 'step'),
  })
}

/** What narrows the columns, as the server takes it. */
export interface ColumnFilter {
  select?: string
  backfill?: number
  tag?: string[]
}

/** Return the filter of a view. */
export function filterOf({ select, gaps, backfill, tag }: MatrixSearch): ColumnFilter {
  const narrowed =
    select && gaps ? `(${select}) & missing` : (select ?? (gaps ? 'missing' : undefined))
  return only({ select: narrowed, backfill: backfill ? Number(backfill) : undefined, tag })
}

export function isFiltered(filter: ColumnFilter): boolean {
  return Object.keys(filter).length > 0
}
