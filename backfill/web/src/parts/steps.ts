/** Choosing steps of a pipeline by what is upstream and downstream of them. */

export interface StepNode {
  readonly name: string
  readonly upstream: readonly string[]
}

/** Return a step with everything downstream of it, in the pipeline's order. */
export function withDownstream(steps: readonly StepNode[], name: string): string[] {
  const found = new Set([name])
  for (const step of steps) if (step.upstream.some((one) => found.has(one))) found.add(step.name)
  return steps.filter((step) => found.has(step.name)).map((step) => step.name)
}

/** Return a step with everything upstream of it, in the pipeline's order. */
export function withUpstream(steps: readonly StepNode[], name: string): string[] {
  const found = new Set([name])
  for (const step of [...steps].reverse()) {
    if (found.has(step.name)) step.upstream.forEach((one) => found.add(one))
  }
  return steps.filter((step) => found.has(step.name)).map((step) => step.name)
}

/** Return chosen names in the pipeline's order; undefined stands for all of them. */
export function inOrder(steps: readonly StepNode[], names: Iterable<string>): string[] | undefined {
  const wanted = new Set(names)
  const found = steps.filter((step) => wanted.has(step.name)).map((step) => step.name)
  return found.length === steps.length ? undefined : found
}
