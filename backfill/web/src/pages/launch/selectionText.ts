/** Writing keys and ranges in the selection language. */

const WORDS = new Set(
  ['all', 'succeeded', 'failed', 'canceled', 'running', 'missing', 'stale'].concat(
    ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'],
    ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'],
  ),
)

/** Write a key; in quotes where it would be read as something else. */
export function keyText(key: string): string {
  const isPlain =
    !/[\s,&!()[\]"*=]/.test(key) &&
    !key.includes('...') &&
    !/^(last|dow|month|older):/.test(key) &&
    !/^(?:[1-9]|1[0-2])$/.test(key) &&
    !WORDS.has(key.toLowerCase())
  return isPlain ? key : `"${key.replace(/\\/g, '\\\\').replace(/"/g, '\\"')}"`
}

/** Write a range, both ends included; of one partition, its key. */
export function rangeText(first: string, last: string): string {
  return first === last ? keyText(first) : `[${keyText(first)}...${keyText(last)}]`
}
