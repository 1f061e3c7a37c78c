/** Run configs as YAML text: read with places, written, completed and trimmed by a schema. */
import { Document, isMap, isScalar, parseDocument, stringify, type Node } from 'yaml'

import { missingKeys, resolved, sampleOf, schemasAt, type Path, type Schema } from './schema'

/** Something wrong with a stretch of the text. */
export interface TextProblem {
  from: number
  to: number
  message: string
}

export interface ParsedYaml {
  /** The config; null when the text cannot be read. */
  value: Record<string, unknown> | null
  problems: TextProblem[]
}

/** Read a config. An empty text is an empty config. */
export function parseYaml(text: string): ParsedYaml {
  const document = parseDocument(text)
  if (document.errors.length) {
    return {
      value: null,
      problems: document.errors.map((error) => ({
        from: error.pos[0],
        to: Math.max(error.pos[1], error.pos[0] + 1),
        message: error.message.split('\n')[0]!.replace(/ at line \d+.*$/, ''),
      })),
    }
  }
  let value: unknown
  try {
    value = document.toJS({ maxAliasCount: 50 }) as unknown
  } catch (error) {
    return {
      value: null,
      problems: [{ from: 0, to: text.length, message: (error as Error).message }],
    }
  }
  if (value === null || value === undefined) return { value: {}, problems: [] }
  if (!isObject(value)) {
    const message = 'A run config is a mapping of names to values.'
    return { value: null, problems: [{ from: 0, to: text.length, message }] }
  }
  return { value, problems: [] }
}

/** Write a config as YAML. */
export function toYaml(value: unknown): string {
  if (isObject(value) && Object.keys(value).length === 0) return ''
  return stringify(value, { lineWidth: 0 })
}

/** Read a path as the server writes it: `steps.load.config.rows[3]['odd key']`. */
export function readPath(path: string): Path {
  const parts: (string | number)[] = []
  const part = /\.?([^.[\]]+)|\[(\d+)\]|\[(?:'([^']*)'|"([^"]*)")\]/gy
  for (let found = part.exec(path); found !== null; found = part.exec(path)) {
    parts.push(found[2] !== undefined ? Number(found[2]) : (found[1] ?? found[3] ?? found[4] ?? ''))
  }
  return parts
}

/** Where a path stands in the text: its key, or that of the nearest thing around it. */
export function placeOf(text: string, path: Path): { from: number; to: number } {
  const document = parseDocument(text)
  for (let length = path.length; length > 0; length--) {
    const place = keyPlace(document, path.slice(0, length))
    if (place) return place
  }
  const end = text.indexOf('\n')
  return { from: 0, to: end > 0 ? end : text.length }
}

/** Add what the schema asks for and the text does not have; comments stay. */
export function scaffold(text: string, schema: Schema): string {
  const document = readable(text)
  if (!document) return text
  fill(document, schema, [], schema)
  return written(document)
}

/** Take out what the schema does not know; comments of the rest stay. */
export function removeExtra(text: string, schema: Schema): string {
  const document = readable(text)
  if (!document) return text
  trim(document, schema, [])
  return written(document)
}

function readable(text: string): Document | null {
  const { value } = parseYaml(text)
  if (value === null) return null
  const document: Document = parseDocument(text)
  return document.contents ? document : new Document({})
}

function written(document: Document): string {
  return toYaml(document.toJS()) === '' && !document.commentBefore
    ? ''
    : document.toString({ lineWidth: 0 })
}

function fill(document: Document, schema: Schema, path: Path, root: Schema): void {
  const here = resolved(schema, root)
  const value: unknown = path.length ? document.getIn(path) : document.contents
  if (!isMap(value)) return
  const known = value.toJS(document) as Record<string, unknown>
  for (const key of missingKeys(here, known)) {
    document.setIn(
      [...path, key],
      document.createNode(sampleOf(here.properties?.[key] ?? {}, root)),
    )
  }
  for (const [key, inner] of Object.entries(here.properties ?? {})) {
    if (!(key in known)) continue
    if (known[key] === null && resolved(inner, root).type === 'object') {
      document.setIn([...path, key], document.createNode({}))
    }
    fill(document, inner, [...path, key], root)
  }
}

function trim(document: Document, root: Schema, path: Path): void {
  const value: unknown = path.length ? document.getIn(path) : document.contents
  if (!isMap(value)) return
  const places = schemasAt(root, path)
  const known = new Set(places.flatMap((place) => Object.keys(place.properties ?? {})))
  const open = !places.some((place) => place.additionalProperties === false)
  for (const key of Object.keys(value.toJS(document) as Record<string, unknown>)) {
    if (known.has(key) || open) trim(document, root, [...path, key])
    else document.deleteIn([...path, key])
  }
}

function keyPlace(document: Document, path: Path): { from: number; to: number } | null {
  const within: unknown =
    path.length > 1 ? document.getIn(path.slice(0, -1), true) : document.contents
  const last = path.at(-1)
  if (isMap(within)) {
    const pair = within.items.find((item) => isScalar(item.key) && item.key.value === last)
    return pair ? rangeOf(pair.key as Node) : null
  }
  const node = document.getIn(path, true) as Node | undefined
  return node ? rangeOf(node) : null
}

function rangeOf(node: Node): { from: number; to: number } | null {
  return node.range ? { from: node.range[0], to: Math.max(node.range[1], node.range[0] + 1) } : null
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
