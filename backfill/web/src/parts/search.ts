/** View state in the URL: plain text parameters, read forgivingly, written without what is default. */

type Raw = Record<string, unknown>

/** A parameter's text; undefined when it is not there. */
export function text(raw: Raw, name: string): string | undefined {
  const value = raw[name]
  if (typeof value === 'string' && value !== '') return value
  return Array.isArray(value) && typeof value[0] === 'string' ? value[0] : undefined
}

/** All values of a parameter; undefined when there is none. */
export function list(raw: Raw, name: string): string[] | undefined {
  const value = raw[name]
  if (typeof value === 'string' && value !== '') return [value]
  if (!Array.isArray(value)) return undefined
  const found = value.filter((one): one is string => typeof one === 'string' && one !== '')
  return found.length ? found : undefined
}

/** One of the given words. */
export function oneOf<T extends string>(
  raw: Raw,
  name: string,
  words: readonly T[],
): T | undefined {
  const value = text(raw, name)
  return words.find((word) => word === value)
}

/** Those of a parameter's values that are among the given words. */
export function someOf<T extends string>(
  raw: Raw,
  name: string,
  words: readonly T[],
): T[] | undefined {
  const found = list(raw, name)?.filter((one): one is T => words.includes(one as T))
  return found?.length ? found : undefined
}

/** A whole number from 0. */
export function count(raw: Raw, name: string): number | undefined {
  const value = text(raw, name)
  return value !== undefined && /^\d{1,15}$/.test(value) ? Number(value) : undefined
}

/** Whether a parameter is `1`. */
export function flag(raw: Raw, name: string): true | undefined {
  return text(raw, name) === '1' ? true : undefined
}

/** Leave out what is undefined. */
export function only<T extends object>(given: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>
  }
}

/** Read `?a=1&b=x&b=y` as { a: '1', b: ['x', 'y'] }. */
export function parseSearch(search: string): Raw {
  const found: Record<string, string | string[]> = {}
  for (const [name, value] of new URLSearchParams(search)) {
    const before = found[name]
    found[name] = before === undefined ? value : [before, value].flat()
  }
  return found
}

/** Write what `parseSearch` reads; true is written as 1. */
export function stringifySearch(given: Raw): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(given)) {
    for (const one of Array.isArray(value) ? (value as unknown[]) : [value]) {
      if (one === true) parameters.append(name, '1')
      else if (typeof one === 'string' || typeof one === 'number')
        parameters.append(name, String(one))
    }
  }
  const written = parameters.toString()
  return written && `?${written}`
}
