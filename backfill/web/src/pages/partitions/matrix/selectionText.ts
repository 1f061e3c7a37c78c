/** From chosen columns to the text of the selection language. */
import { SELECTION_PREFIXES, SELECTION_WORDS } from '@/states.generated'

/** Columns from one to another, both included, by their keys. */
export interface KeySpan {
  readonly first: string
  readonly last: string
}

const BARE = /^[^\s,&!()[\]"*=\\|…\p{C}]+$/u
const DAY = '(?:mon|tue|wed|thu|fri|sat|sun)'
const MONTH = '(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|0?[1-9]|1[0-2])'
const CALENDAR = new RegExp(`^(?:${DAY}(?:-${DAY})?|${MONTH}(?:-${MONTH})?)$`)

/** Write a key as a selection has to write it to mean just that key. */
export function keyText(key: string): string {
  if (BARE.test(key) && !key.includes('...') && !hasMeaning(key)) return key
  return `"${key.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}

/** Write spans: `a, [c...f]`. */
export function spansText(spans: readonly KeySpan[]): string {
  return spans
    .map(({ first, last }) =>
      first === last ? keyText(first) : `[${keyText(first)}...${keyText(last)}]`,
    )
    .join(', ')
}

/** Write spans of what a filter leaves: what it hides is not chosen. */
export function narrowedText(spans: readonly KeySpan[], filter: string | undefined): string {
  const text = spansText(spans)
  if (!filter || spans.every(({ first, last }) => first === last)) return text
  return `${spans.length > 1 ? `(${text})` : text} & (${filter})`
}

/** Add to a text, so that both are chosen; a text that leaves things out keeps doing so. */
export function joined(before: string | undefined, more: string): string {
  const old = before?.trim()
  if (!old) return more
  return old.includes('!') ? `(${old}), ${more}` : `${old}, ${more}`
}

/** Places in the set's order, from `start` to before `stop`. */
export interface PlaceSpan {
  readonly start: number
  readonly stop: number
}

/** Say whether a place lies in one of the spans, which are sorted and apart. */
export function isInside(spans: readonly PlaceSpan[], place: number): boolean {
  let low = 0
  let high = spans.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (spans[middle]!.stop <= place) low = middle + 1
    else high = middle
  }
  const found = spans[low]
  return found !== undefined && found.start <= place
}

function hasMeaning(word: string): boolean {
  return (
    (SELECTION_WORDS as readonly string[]).includes(word) ||
    SELECTION_PREFIXES.some((prefix) => word.startsWith(prefix)) ||
    CALENDAR.test(word)
  )
}
