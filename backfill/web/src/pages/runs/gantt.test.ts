import { expect, test } from 'vitest'

import type { Schemas } from '@/api/client'
import { attemptLines } from './gantt'

const at = (seconds: number | null) =>
  seconds === null ? null : new Date(seconds * 1000).toISOString()

function attempt(number: number, from: number, to: number | null): Schemas['Attempt'] {
  return {
    attempt: number,
    ending: to === null ? null : 'failed',
    worker: null,
    message_id: null,
    started_at: at(from),
    ended_at: at(to),
    reason: null,
  }
}

function outcome(
  number: number,
  step: string,
  from: number | null,
  to: number | null,
): Schemas['StepOutcome'] {
  return {
    run_id: '1',
    attempt: number,
    step,
    state: 'succeeded',
    tries: 1,
    started_at: at(from),
    finished_at: at(to),
    reason: null,
    metadata: {},
    outputs: {},
    errors: [],
  }
}

test('each attempt has its own time, the newest is first', () => {
  const lines = attemptLines(
    {
      attempts: [attempt(1, 0, 10), attempt(2, 1000, 1020)],
      steps: [outcome(1, 'a', 0, 10), outcome(2, 'a', 1005, 1020)],
      errors: [],
    },
    ['a'],
    2_000_000,
  )
  expect(lines.map((line) => line.attempt.attempt)).toEqual([2, 1])
  expect(lines[0]!.bars[0]).toMatchObject({ left: 0.25, width: 0.75, seconds: 15 })
})

test('steps come in the order of the pipeline, those to come only while it runs', () => {
  const steps = [outcome(1, 'b', 5, 10), outcome(1, 'a', 0, 5)]
  const names = (to: number | null) =>
    attemptLines(
      { attempts: [attempt(1, 0, to)], steps, errors: [] },
      ['a', 'b', 'c'],
      20_000,
    )[0]!.bars.map((bar) => bar.step)
  expect(names(null)).toEqual(['a', 'b', 'c'])
  expect(names(10)).toEqual(['a', 'b'])
})

test('a step that the pipeline does not have any more is shown at the end', () => {
  const found = { attempts: [attempt(1, 0, 5)], steps: [outcome(1, 'old', 0, 5)], errors: [] }
  expect(attemptLines(found, ['new'], 0)[0]!.bars.map((bar) => bar.step)).toEqual(['old'])
})

test('what runs reaches until now', () => {
  const found = { attempts: [attempt(1, 0, null)], steps: [outcome(1, 'a', 5, null)], errors: [] }
  expect(attemptLines(found, ['a'], 10_000)[0]!.bars[0]).toMatchObject({ left: 0.5, width: 0.5 })
})
