/** Where columns and rows of the matrix are. All lengths are CSS pixels, all places columns. */

export const PAGE = 100 // columns that are asked for at a time
export const HEADER = 92
export const FOOTER = 22
export const ROW = 26
export const LONGEST_SCROLL = 6_000_000 // browsers lay out nothing much longer
export const COLUMN_WIDTHS = { small: 8, normal: 24, large: 44 } as const

/** The horizontal view: `x` is how far the columns are moved to the left. */
export interface View {
  readonly x: number
  readonly width: number
  readonly column: number
  readonly count: number
}

/** How far the columns can be moved. */
export function longestX({ width, column, count }: Omit<View, 'x'>): number {
  return Math.max(0, count * column - width)
}

/** Keep a position within the columns. */
export function clampX(view: View): number {
  return Math.min(Math.max(0, view.x), longestX(view))
}

/** The columns in sight: from the first to before the last; the ones cut off included. */
export function columnsInSight(view: View): [number, number] {
  const first = Math.max(0, Math.floor(view.x / view.column))
  return [first, Math.min(view.count, Math.ceil((view.x + view.width) / view.column))]
}

/** The numbers of the pages that hold columns from `first` to before `stop`. */
export function pagesOf(first: number, stop: number): number[] {
  if (stop <= first) return []
  const low = Math.floor(first / PAGE)
  return Array.from({ length: Math.floor((stop - 1) / PAGE) - low + 1 }, (_, n) => low + n)
}

/** How wide the scrolled content is: less than all columns when those are too many. */
export function scrollWidth({ column, count }: Pick<View, 'column' | 'count'>): number {
  return Math.min(count * column, LONGEST_SCROLL)
}

/** Where the scroll bar stands for a position. */
export function scrollOf(view: View): number {
  const room = scrollWidth(view) - view.width
  const longest = longestX(view)
  return longest === 0 || room <= 0 ? 0 : (view.x / longest) * room
}

/** The position that a scroll bar means. */
export function xOfScroll(scroll: number, view: Omit<View, 'x'>): number {
  const room = scrollWidth(view) - view.width
  return room <= 0 ? 0 : Math.min(1, Math.max(0, scroll / room)) * longestX(view)
}

/** The nearest position at which a column is wholly in sight. */
export function revealing(column: number, view: View): number {
  const left = column * view.column
  if (left < view.x) return left
  const right = left + view.column
  return right > view.x + view.width ? right - view.width : view.x
}

export interface Hit {
  /** A box, a column's label, or what lies under the boxes. */
  zone: 'box' | 'label' | 'foot'
  column: number
  row: number
}

/** What lies at a point of the canvas; null beside everything. `scrolled` is how far down. */
export function hit(
  point: { x: number; y: number },
  view: View & { rows: number; height: number; scrolled: number },
): Hit | null {
  const column = Math.floor((view.x + point.x) / view.column)
  if (point.x < 0 || column < 0 || column >= view.count) return null
  if (point.y < HEADER) return { zone: 'label', column, row: -1 }
  if (point.y >= view.height - FOOTER) return { zone: 'foot', column, row: -1 }
  const row = Math.floor((point.y - HEADER + view.scrolled) / ROW)
  return row < view.rows ? { zone: 'box', column, row } : null
}

/** How many columns lie between labels, so that they do not touch. */
export function labelStride(column: number): number {
  return Math.max(1, Math.ceil(15 / column))
}
