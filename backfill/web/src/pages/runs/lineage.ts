/** How many re-executions lie between each run and the first of its family. */
export function depths(
  runs: readonly { id: string; parent_id: string | null }[],
): Map<string, number> {
  const found = new Map<string, number>()
  for (const run of runs) {
    const parent = run.parent_id === null ? undefined : found.get(run.parent_id)
    found.set(run.id, parent === undefined ? 0 : parent + 1)
  }
  return found
}
