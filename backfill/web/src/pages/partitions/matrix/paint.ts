/** Draws the matrix on a canvas: labels, boxes, what is chosen, where the cursor is. */
import { LOOKS, type AnyState } from '@/states.generated'
import { previousAt, statusAt, tookAt, type Column } from './columns'
import { ageColour, durationColour, fillOf, inkOf, type Palette } from './colours'
import { columnsInSight, FOOTER, HEADER, labelStride, ROW, type View } from './layout'

/** Everything that decides what is seen. */
export interface Scene {
  readonly view: View
  readonly height: number
  /** How far the rows are scrolled down. */
  readonly scrolled: number
  readonly ratio: number
  /** Rows after the first, which is the run's: places among the steps of a column. */
  readonly rows: readonly number[]
  readonly column: (place: number) => Column | undefined
  /** What an unloaded column most likely shows. */
  readonly hint: (place: number) => AnyState | null
  readonly chosen: (place: number) => boolean
  readonly chosenRow: (row: number) => boolean
  readonly cursor: { column: number; row: number } | null
  readonly open: { column: number; row: number } | null
  readonly colour: 'age' | 'duration' | undefined
  readonly palette: Palette
  readonly now: number
}

const sprites = new Map<string, HTMLCanvasElement>()
const LABEL = '12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif'
const SMALL = '10.5px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif'
const TILT = -Math.PI / 3.2
const LABEL_LENGTH = 96

export function paint(context: CanvasRenderingContext2D, scene: Scene): void {
  const { view, height, ratio, palette } = scene
  context.setTransform(ratio, 0, 0, ratio, 0, 0)
  context.clearRect(0, 0, view.width, height)
  const [first, stop] = columnsInSight(view)
  chosenColumns(context, scene, first, stop)
  const longest = scene.colour === 'duration' ? longestIn(scene, first, stop) : 0
  context.save()
  context.beginPath()
  context.rect(0, HEADER, view.width, height - HEADER - FOOTER)
  context.clip()
  const topRow = Math.max(0, Math.floor(scene.scrolled / ROW))
  const rowCount = scene.rows.length + 1
  const endRow = Math.min(rowCount, Math.ceil((scene.scrolled + height - HEADER - FOOTER) / ROW))
  for (let place = first; place < stop; place++) {
    const column = scene.column(place)
    for (let row = topRow; row < endRow; row++) box(context, scene, place, row, column, longest)
  }
  frame(context, scene, scene.open, palette.text)
  frame(context, scene, scene.cursor, palette.accent)
  context.restore()
  labels(context, scene, first, stop)
  counts(context, scene, first, stop)
}

/** Forget drawn boxes: the theme or the screen is another. */
export function forgetSprites(): void {
  sprites.clear()
}

function leftOf(scene: Scene, place: number): number {
  const { x, column } = scene.view
  return Math.round((place * column - x) * scene.ratio) / scene.ratio
}

function chosenColumns(
  context: CanvasRenderingContext2D,
  scene: Scene,
  first: number,
  stop: number,
): void {
  const { view, height, palette } = scene
  context.fillStyle = palette.chosen
  for (let place = first; place < stop; place++) {
    if (scene.chosen(place)) {
      context.fillRect(leftOf(scene, place), 0, view.column, height)
    }
  }
}

function box(
  context: CanvasRenderingContext2D,
  scene: Scene,
  place: number,
  row: number,
  column: Column | undefined,
  longest: number,
): void {
  const left = leftOf(scene, place)
  const top = HEADER + row * ROW - scene.scrolled
  if (!column) {
    const hint = scene.hint(place)
    const fill = hint && fillOf(hint, scene.palette.dark)
    context.globalAlpha = 0.22
    context.fillStyle = fill ?? scene.palette.soft
    const { gapX, gapY } = gaps(scene.view.column)
    context.fillRect(left + gapX, top + gapY, scene.view.column - 2 * gapX, ROW - 2 * gapY)
    context.globalAlpha = 1
    return
  }
  const step = row === 0 ? -1 : scene.rows[row - 1]!
  const state = step < 0 ? column.state : statusAt(column, step)
  context.globalAlpha = scene.chosenRow(row) ? 1 : 0.35
  stamp(context, scene, state, left, top)
  if (state === 'succeeded' && scene.colour) {
    tint(context, scene, colourOf(scene, column, step, longest), left, top)
  }
  if (step >= 0 && column.marked?.[step]) notch(context, scene, left, top)
  const before = step < 0 ? null : previousAt(column, step)
  if (before) corner(context, scene, before, left, top)
  context.globalAlpha = 1
}

function gaps(column: number): { gapX: number; gapY: number } {
  return column < 14 ? { gapX: 0.5, gapY: 3 } : { gapX: 2, gapY: 3 }
}

function stamp(
  context: CanvasRenderingContext2D,
  scene: Scene,
  state: AnyState,
  left: number,
  top: number,
): void {
  const { column } = scene.view
  const key = `${state} ${column} ${scene.ratio} ${scene.palette.dark}`
  let sprite = sprites.get(key)
  if (!sprite) sprites.set(key, (sprite = drawn(state, column, scene)))
  context.drawImage(sprite, left, top, column, ROW)
}

/** Draw one box with its sign, once. */
function drawn(state: AnyState, column: number, scene: Scene): HTMLCanvasElement {
  const sprite = document.createElement('canvas')
  sprite.width = Math.ceil(column * scene.ratio)
  sprite.height = Math.ceil(ROW * scene.ratio)
  const context = sprite.getContext('2d')!
  context.scale(scene.ratio, scene.ratio)
  const look = LOOKS[state]
  const { gapX, gapY } = gaps(column)
  const { dark } = scene.palette
  const [width, height] = [column - 2 * gapX, ROW - 2 * gapY]
  const fill = fillOf(state, dark)
  context.beginPath()
  context.roundRect(gapX, gapY, width, height, Math.min(3, width / 4))
  if (fill) {
    context.fillStyle = fill
    context.fill()
  } else {
    context.strokeStyle = inkOf(state, dark)
    context.globalAlpha = state === 'missing' ? 0.8 : 1
    context.lineWidth = column < 14 ? 0.7 : 1
    if (look.dashed) context.setLineDash([2.5, 2])
    context.beginPath()
    context.roundRect(gapX + 0.5, gapY + 0.5, width - 1, height - 1, Math.min(3, width / 4))
    context.stroke()
    context.globalAlpha = 1
    context.setLineDash([])
  }
  if (look.sign) sign(context, look.sign, inkOf(state, dark), column)
  return sprite
}

function sign(context: CanvasRenderingContext2D, path: string, ink: string, column: number): void {
  const size = Math.min(16, column < 14 ? column * 1.5 : 16)
  context.translate(column / 2 - size / 2, ROW / 2 - size / 2)
  context.scale(size / 16, size / 16)
  context.strokeStyle = ink
  context.lineWidth = column < 14 ? 2.4 : 1.7
  context.lineCap = 'round'
  context.lineJoin = 'round'
  context.stroke(new Path2D(path))
}

function tint(
  context: CanvasRenderingContext2D,
  scene: Scene,
  colour: string,
  left: number,
  top: number,
): void {
  const { gapX, gapY } = gaps(scene.view.column)
  context.fillStyle = colour
  context.beginPath()
  context.roundRect(left + gapX, top + gapY, scene.view.column - 2 * gapX, ROW - 2 * gapY, 3)
  context.fill()
}

function colourOf(scene: Scene, column: Column, step: number, longest: number): string {
  const { dark } = scene.palette
  if (scene.colour === 'age') {
    const end = step < 0 ? column.finished : column.to[step]!
    return ageColour(scene.now - end, dark)
  }
  const took = step < 0 ? column.finished - column.started : tookAt(column, step)
  return durationColour(Number.isNaN(took) ? 0 : took, longest, dark)
}

function longestIn(scene: Scene, first: number, stop: number): number {
  let longest = 0
  for (let place = first; place < stop; place++) {
    const column = scene.column(place)
    if (!column) continue
    for (const step of scene.rows) {
      const took = tookAt(column, step)
      if (took > longest) longest = took
    }
  }
  return longest
}

/** Show the status before in the upper left half. */
function corner(
  context: CanvasRenderingContext2D,
  scene: Scene,
  state: AnyState,
  left: number,
  top: number,
): void {
  const { gapX, gapY } = gaps(scene.view.column)
  const [width, height] = [scene.view.column - 2 * gapX, ROW - 2 * gapY]
  context.beginPath()
  context.moveTo(left + gapX, top + gapY)
  context.lineTo(left + gapX + width * 0.62, top + gapY)
  context.lineTo(left + gapX, top + gapY + height * 0.62)
  context.closePath()
  context.fillStyle = fillOf(state, scene.palette.dark) ?? scene.palette.surface
  context.fill()
  context.strokeStyle = scene.palette.surface
  context.lineWidth = 1
  context.stroke()
}

/** Show in the lower right corner that an operator said so. */
function notch(context: CanvasRenderingContext2D, scene: Scene, left: number, top: number): void {
  const { gapX, gapY } = gaps(scene.view.column)
  const [right, bottom] = [left + scene.view.column - gapX, top + ROW - gapY]
  const size = Math.min(8, scene.view.column / 2)
  context.beginPath()
  context.moveTo(right, bottom - size)
  context.lineTo(right, bottom)
  context.lineTo(right - size, bottom)
  context.closePath()
  context.fillStyle = scene.palette.text
  context.fill()
}

function frame(
  context: CanvasRenderingContext2D,
  scene: Scene,
  at: { column: number; row: number } | null,
  colour: string,
): void {
  if (!at) return
  context.strokeStyle = colour
  context.lineWidth = 2
  context.beginPath()
  context.roundRect(
    leftOf(scene, at.column) + 1,
    HEADER + at.row * ROW - scene.scrolled + 1,
    Math.max(4, scene.view.column - 2),
    ROW - 2,
    4,
  )
  context.stroke()
}

function labels(
  context: CanvasRenderingContext2D,
  scene: Scene,
  first: number,
  stop: number,
): void {
  const { view, palette } = scene
  const stride = labelStride(view.column)
  context.font = LABEL
  context.textBaseline = 'middle'
  for (let place = first; place < stop; place++) {
    if (place % stride) continue
    const key = scene.column(place)?.key
    if (!key) continue
    context.save()
    context.translate(leftOf(scene, place) + view.column / 2 - 1, HEADER - 7)
    context.rotate(TILT)
    context.fillStyle = scene.cursor?.column === place ? palette.text : palette.soft
    context.fillText(key.length > 15 ? `${key.slice(0, 14)}…` : key, 0, 0, LABEL_LENGTH)
    context.restore()
  }
}

function counts(
  context: CanvasRenderingContext2D,
  scene: Scene,
  first: number,
  stop: number,
): void {
  const { view, height, palette } = scene
  context.fillStyle = palette.line
  context.fillRect(0, height - FOOTER, view.width, 1)
  if (view.column < 14) return
  context.font = SMALL
  context.textAlign = 'center'
  context.fillStyle = palette.soft
  for (let place = first; place < stop; place++) {
    const runs = scene.column(place)?.runs
    if (runs) {
      const text = runs > 999 ? '999+' : String(runs)
      context.fillText(text, leftOf(scene, place) + view.column / 2, height - FOOTER / 2 + 1)
    }
  }
  context.textAlign = 'start'
}
