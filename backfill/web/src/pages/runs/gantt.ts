/** Attempts of a run as lines of time: a bar per step, in the order of the pipeline. */
import type { Schemas } from '@/api/client'

export interface Bar {
  step: string
  /** Undefined where nothing of the step has happened in this attempt. */
  outcome: Schemas['StepOutcome'] | undefined
  /** Of the attempt's time, from 0 to 1; undefined where it did not begin. */
  left: number | undefined
  width: number
  seconds: number | undefined
  /** Where tries failed, from 0 to 1. */
  stumbles: number[]
}

export interface AttemptLine {
  attempt: Schemas['Attempt']
  bars: Bar[]
  /** Milliseconds since the epoch. */
  from: number
  to: number
}

/** Lay out every attempt, the newest first; what has not ended reaches until now. */
export function attemptLines(
  found: Schemas['RunSteps'],
  order: readonly string[],
  now: number,
): AttemptLine[] {
  return found.attempts
    .map((attempt) => lineOf(attempt, found.steps, order, now))
    .sort((a, b) => b.attempt.attempt - a.attempt.attempt)
}

function lineOf(
  attempt: Schemas['Attempt'],
  outcomes: readonly Schemas['StepOutcome'][],
  order: readonly string[],
  now: number,
): AttemptLine {
  const own = outcomes.filter((one) => one.attempt === attempt.attempt)
  const by = new Map(own.map((one) => [one.step, one]))
  const known = new Set(order)
  const names = [...order, ...own.map((one) => one.step).filter((name) => !known.has(name))]
  const moments = own
    .flatMap((one) => [one.started_at, one.finished_at])
    .concat(attempt.started_at, attempt.ended_at)
    .filter((at) => at !== null)
    .map((at) => Date.parse(at))
  const from = moments.length ? Math.min(...moments) : now
  const last = Math.max(from + 1, ...moments)
  const to = attempt.ending === null && attempt.started_at ? Math.max(last, now) : last
  const bars = names
    .map((step) => barOf(step, by.get(step), from, to))
    .filter((bar) => bar.outcome ?? attempt.ending === null)
  return { attempt, bars, from, to }
}

function barOf(
  step: string,
  outcome: Schemas['StepOutcome'] | undefined,
  from: number,
  to: number,
): Bar {
  if (!outcome?.started_at) {
    return { step, outcome, left: undefined, width: 0, seconds: undefined, stumbles: [] }
  }
  const place = (at: number) => (at - from) / (to - from)
  const begin = Date.parse(outcome.started_at)
  const end = outcome.finished_at ? Date.parse(outcome.finished_at) : to
  return {
    step,
    outcome,
    left: place(begin),
    width: Math.max(0, place(end) - place(begin)),
    seconds: (end - begin) / 1000,
    stumbles: outcome.errors
      .map((error) => place(Date.parse(error.at)))
      .filter((at) => at >= 0 && at <= 1),
  }
}
