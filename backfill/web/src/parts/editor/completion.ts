/** What may be typed next in a YAML text, by its schema and the indentation around the cursor. */
import { expected, keysAt, typesOf, valuesAt, type Path, type Schema } from './schema'

export interface Suggestion {
  label: string
  /** What is written in place of what stands from `from` to the cursor. */
  insert: string
  detail: string
  info?: string
  required: boolean
}

export interface Suggestions {
  from: number
  options: Suggestion[]
}

const KEY = /^(\s*)((?:- )*)("[^"]*"|'[^']*'|[^\s#:'"[{-][^:#]*?)\s*:(?:\s|$)/

/** Return what may stand at a place of the text; null where nothing can be said. */
export function suggestions(text: string, at: number, root: Schema): Suggestions | null {
  const start = text.lastIndexOf('\n', at - 1) + 1
  const before = text.slice(start, at)
  const value = /^(\s*(?:- )*)([^\s:#]+):\s+(\S*)$/.exec(before)
  if (value) return valueSuggestions(text, start, at, value, root)
  const key = /^(\s*(?:- )*)([\w-]*)$/.exec(before)
  return key ? keySuggestions(text, start, at, key, root) : null
}

function valueSuggestions(
  text: string,
  start: number,
  at: number,
  [, lead = '', key = '', typed = '']: RegExpExecArray,
  root: Schema,
): Suggestions | null {
  const path = [...pathOf(text, start, lead), unquoted(key)]
  const options = valuesAt(root, path).map((value) => ({
    label: String(value),
    insert: typeof value === 'string' && /^[\w./-]+$/.test(value) ? value : JSON.stringify(value),
    detail: '',
    required: false,
  }))
  return options.length ? { from: at - typed.length, options } : null
}

function keySuggestions(
  text: string,
  start: number,
  at: number,
  [, lead = '', typed = '']: RegExpExecArray,
  root: Schema,
): Suggestions | null {
  const path = pathOf(text, start, lead)
  const there = siblings(text, start, lead.length)
  const options: Suggestion[] = []
  for (const [key, { schema, required }] of keysAt(root, path)) {
    if (there.has(key)) continue
    const info = schema.description ?? schema.title
    options.push({
      label: key,
      insert: keyText(key, schema, lead.length),
      detail: expected(schema, root),
      required,
      ...(info ? { info } : {}),
    })
  }
  options.sort((a, b) => Number(b.required) - Number(a.required))
  return options.length ? { from: at - typed.length, options } : null
}

/** The path of what a line with this lead belongs to: the lines above that stand further left. */
function pathOf(text: string, start: number, lead: string): Path {
  const path: (string | number)[] = []
  let indent = lead.length
  if (lead.includes('- ')) {
    path.unshift(0)
    indent = lead.indexOf('-')
    // A list may stand as far left as the key it belongs to.
    indent += 1
  }
  const lines = text.slice(0, Math.max(start - 1, 0)).split('\n')
  for (let index = lines.length - 1; index >= 0 && indent > 0; index--) {
    const found = KEY.exec(lines[index]!)
    if (!found) continue
    const [, spaces = '', dashes = '', key = ''] = found
    const column = spaces.length + dashes.length
    if (column < indent && /:\s*(#.*)?$/.test(lines[index]!)) {
      path.unshift(unquoted(key))
      indent = column
    }
    if (dashes && column <= indent && spaces.length < indent) {
      path.unshift(0)
      indent = spaces.length + 1
    }
  }
  return path
}

/** The keys of the mapping that the line at `start` belongs to. */
function siblings(text: string, start: number, indent: number): Set<string> {
  const keys = new Set<string>()
  const above = text
    .slice(0, Math.max(start - 1, 0))
    .split('\n')
    .reverse()
  const lineEnd = text.indexOf('\n', start)
  const below = lineEnd < 0 ? [] : text.slice(lineEnd + 1).split('\n')
  for (const lines of [start > 0 ? above : [], below]) {
    for (const line of lines) {
      if (!line.trim()) continue
      const found = KEY.exec(line)
      const column = found
        ? found[1]!.length + found[2]!.length
        : line.length - line.trimStart().length
      if (column < indent) break
      if (found && column === indent) keys.add(unquoted(found[3]!))
      if (found?.[2] && column === indent) break
    }
  }
  return keys
}

function keyText(key: string, schema: Schema, indent: number): string {
  const name = /^[A-Za-z_][\w-]*$/.test(key) ? key : JSON.stringify(key)
  const types = typesOf(schema)
  if (types.includes('object')) return `${name}:\n${' '.repeat(indent + 2)}`
  if (types.includes('array')) return `${name}:\n${' '.repeat(indent + 2)}- `
  return `${name}: `
}

function unquoted(key: string): string {
  const text = key.trim()
  return /^(".*"|'.*')$/.test(text) ? text.slice(1, -1) : text
}
