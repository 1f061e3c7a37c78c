/** Choosing rows by a step query: `load`, `*load`, `load+`, `*load*`, several between commas. */
import type { StepNode } from '@/parts/steps'

const ONE = /^(\*|\+*)([A-Za-z0-9_]+)(\*|\+*)$/

export interface Chosen {
  /** Names in the pipeline's order; all of them when nothing is asked for. */
  steps: string[]
  /** What of the query cannot be read, or names nothing; null when all is well. */
  problem: string | null
}

/** Return the steps that any part of a query takes. A part of a name takes the steps it is in. */
export function queriedSteps(all: readonly StepNode[], query: string | undefined): Chosen {
  const parts = (query ?? '').split(/[\s,]+/).filter(Boolean)
  const names = all.map((step) => step.name)
  if (!parts.length) return { steps: names, problem: null }
  const taken = new Set<string>()
  const problems: string[] = []
  for (const part of parts) {
    const found = reached(all, part)
    if (!found.length) problems.push(part)
    found.forEach((name) => taken.add(name))
  }
  const problem = problems.length ? `No step fits ${problems.join(', ')}.` : null
  return { steps: names.filter((name) => taken.has(name)), problem }
}

function reached(all: readonly StepNode[], part: string): string[] {
  const read = ONE.exec(part)
  if (!read) return []
  const [, before = '', name = '', after = ''] = read
  const exact = all.some((step) => step.name === name)
  if (!exact) {
    return before || after ? [] : all.map((step) => step.name).filter((one) => one.includes(name))
  }
  const upstream = new Map(all.map((step) => [step.name, step.upstream]))
  const downstream = new Map(all.map((step) => [step.name, [] as string[]]))
  for (const step of all) step.upstream.forEach((one) => downstream.get(one)?.push(step.name))
  return [...follow(upstream, name, before), ...follow(downstream, name, after)]
}

/** Follow edges from a step: a star goes to the end, each plus one level. */
function follow(
  edges: ReadonlyMap<string, readonly string[]>,
  name: string,
  sign: string,
): Set<string> {
  const found = new Set([name])
  let edge = [name]
  for (let left = sign === '*' ? edges.size : sign.length; left > 0 && edge.length; left--) {
    edge = edge.flatMap((one) => edges.get(one) ?? []).filter((one) => !found.has(one))
    edge.forEach((one) => found.add(one))
  }
  return found
}
