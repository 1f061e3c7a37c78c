/** Colours of boxes: by state, by age, by duration. */
import { LOOKS, type AnyState } from '@/states.generated'

/** The colours of a theme that a canvas cannot read from the stylesheet by itself. */
export interface Palette {
  readonly dark: boolean
  readonly text: string
  readonly soft: string
  readonly line: string
  readonly surface: string
  readonly accent: string
  readonly chosen: string
  readonly faint: string
}

export function paletteOf(dark: boolean): Palette {
  const styles = getComputedStyle(document.documentElement)
  const probe = document.createElement('span')
  document.body.append(probe)
  const read = (name: string) => {
    probe.style.color = `var(${name})`
    return getComputedStyle(probe).color || styles.color
  }
  const palette = {
    dark,
    text: read('--text'),
    soft: read('--text-soft'),
    line: read('--line'),
    surface: read('--surface'),
    accent: read('--accent'),
    chosen: read('--selected'),
    faint: read('--sunken'),
  }
  probe.remove()
  return palette
}

/** The colour of a state's box; null when only its edge is drawn. */
export function fillOf(state: AnyState, dark: boolean): string | null {
  return LOOKS[state].fill?.[dark ? 1 : 0] ?? null
}

export function inkOf(state: AnyState, dark: boolean): string {
  return LOOKS[state].ink[dark ? 1 : 0]
}

/** Blue for fresh to sand for old, over a month; both ends tell apart without hue. */
export function ageColour(milliseconds: number, dark: boolean): string {
  return between(Math.log10(1 + milliseconds / 60_000) / Math.log10(1 + 30 * 24 * 60), dark)
}

/** The same for short to long, of the longest in sight. */
export function durationColour(milliseconds: number, longest: number, dark: boolean): string {
  return between(longest > 0 ? Math.sqrt(milliseconds / longest) : 0, dark)
}

function between(share: number, dark: boolean): string {
  const at = Math.min(1, Math.max(0, share))
  const hue = 215 - 180 * at
  const light = dark ? 72 - 34 * at : 38 + 34 * at
  return `hsl(${hue.toFixed(0)} 62% ${light.toFixed(0)}%)`
}
