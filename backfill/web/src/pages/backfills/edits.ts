/** Return the fields that are others now. */
export function changesOf<T extends object>(before: T, now: T): Partial<T> {
  const entries = Object.entries(now) as [keyof T, unknown][]
  return Object.fromEntries(
    entries.filter(([name, value]) => JSON.stringify(before[name]) !== JSON.stringify(value)),
  ) as Partial<T>
}
