/** Reading a JSON Schema the way an editor needs it: what may stand where. */

/** The part of JSON Schema that run configs use. */
export interface Schema {
  type?: string | string[]
  title?: string
  description?: string
  properties?: Record<string, Schema>
  required?: string[]
  additionalProperties?: boolean | Schema
  items?: Schema
  enum?: unknown[]
  const?: unknown
  default?: unknown
  $ref?: string
  $defs?: Record<string, Schema>
  anyOf?: Schema[]
  oneOf?: Schema[]
  allOf?: Schema[]
}

export type Path = readonly (string | number)[]

/** Follow a reference to where it leads within the same document. */
export function resolved(schema: Schema, root: Schema): Schema {
  let at = schema
  for (let hops = 0; at.$ref !== undefined && hops < 32; hops++) {
    const name = /^#\/\$defs\/(.+)$/.exec(at.$ref)?.[1]
    const target = name === undefined ? undefined : root.$defs?.[name]
    if (target === undefined) return {}
    at = { ...target, ...(at.description ? { description: at.description } : {}) }
  }
  return at
}

/** Every schema that a value may have to fit at one place: itself and its alternatives. */
export function alternatives(schema: Schema, root: Schema, depth = 0): Schema[] {
  const here = resolved(schema, root)
  if (depth > 8) return [here]
  const inner = [...(here.anyOf ?? []), ...(here.oneOf ?? []), ...(here.allOf ?? [])]
  return [here, ...inner.flatMap((one) => alternatives(one, root, depth + 1))]
}

/** The schemas of what stands at a path. */
export function schemasAt(root: Schema, path: Path): Schema[] {
  let found = alternatives(root, root)
  for (const key of path) {
    const inner = found.flatMap((schema) => childOf(schema, key))
    found = inner.flatMap((schema) => alternatives(schema, root))
  }
  return found
}

/** The keys that may stand at a path, with the schema of each. */
export function keysAt(
  root: Schema,
  path: Path,
): Map<string, { schema: Schema; required: boolean }> {
  const keys = new Map<string, { schema: Schema; required: boolean }>()
  const places = schemasAt(root, path)
  const required = new Set(places.flatMap((place) => place.required ?? []))
  for (const place of places) {
    for (const [key, schema] of Object.entries(place.properties ?? {})) {
      if (!keys.has(key))
        keys.set(key, { schema: resolved(schema, root), required: required.has(key) })
    }
  }
  return keys
}

/** The values that may stand at a path, where they can be listed. */
export function valuesAt(root: Schema, path: Path): unknown[] {
  const values: unknown[] = []
  for (const schema of schemasAt(root, path)) {
    if (schema.enum) values.push(...schema.enum)
    else if (schema.const !== undefined) values.push(schema.const)
    else if (typesOf(schema).includes('boolean')) values.push(true, false)
    else if (schema.default !== undefined) values.push(schema.default)
  }
  return [...new Set(values)]
}

export function typesOf(schema: Schema): string[] {
  if (schema.type === undefined) return schema.properties ? ['object'] : []
  return Array.isArray(schema.type) ? schema.type : [schema.type]
}

/** A word for what is expected: `string`, `list of integer`, `one of a, b`. */
export function expected(schema: Schema, root: Schema): string {
  const here = resolved(schema, root)
  if (here.enum) return `one of ${here.enum.map(String).join(', ')}`
  if (here.const !== undefined) return JSON.stringify(here.const)
  const types = typesOf(here)
  if (types.includes('array')) {
    return here.items ? `list of ${expected(here.items, root)}` : 'list'
  }
  if (types.length) return types.join(' or ')
  const inner = [...(here.anyOf ?? []), ...(here.oneOf ?? [])]
  return inner.length ? inner.map((one) => expected(one, root)).join(' or ') : 'anything'
}

/** A value that could stand where a schema asks for one. */
export function sampleOf(schema: Schema, root: Schema, depth = 0): unknown {
  const here = resolved(schema, root)
  if (here.default !== undefined) return here.default
  if (here.enum?.length) return here.enum[0]
  if (here.const !== undefined) return here.const
  const choice = here.anyOf?.[0] ?? (here.type === undefined ? here.oneOf?.[0] : undefined)
  if (choice && depth < 12) return sampleOf(choice, root, depth + 1)
  switch (typesOf(here)[0]) {
    case 'object':
      return depth < 12 ? objectSample(here, root, depth) : {}
    case 'array':
      return []
    case 'integer':
    case 'number':
      return 0
    case 'boolean':
      return false
    case 'null':
      return null
    default:
      return ''
  }
}

/** What an object must have and a value does not; of alternatives, the first. */
export function missingKeys(schema: Schema, value: Record<string, unknown>): string[] {
  const needed = new Set(schema.required ?? [])
  for (const group of [schema.oneOf, schema.anyOf]) {
    const sets = (group ?? []).map((one) => one.required ?? [])
    if (sets.length && !sets.some((keys) => keys.length && keys.every((key) => key in value))) {
      sets[0]?.forEach((key) => needed.add(key))
    }
  }
  return [...needed].filter((key) => !(key in value))
}

function objectSample(schema: Schema, root: Schema, depth: number): Record<string, unknown> {
  const sample: Record<string, unknown> = {}
  for (const key of missingKeys(schema, {})) {
    sample[key] = sampleOf(schema.properties?.[key] ?? {}, root, depth + 1)
  }
  return sample
}

function childOf(schema: Schema, key: string | number): Schema[] {
  if (typeof key === 'number') return schema.items ? [schema.items] : []
  const property = schema.properties?.[key]
  if (property) return [property]
  return typeof schema.additionalProperties === 'object' ? [schema.additionalProperties] : []
}
