import { expect, test } from 'vitest'

import type { Schemas } from '@/api/client'
import { launchSearchOf, requestOf } from './request'
import { readLaunch } from './search'

const FORM = { set: 'days', select: 'all' }

test('what is not chosen is not sent', () => {
  expect(requestOf(FORM, null)).toEqual({ partition_set: 'days', selection: 'all' })
  expect(requestOf({ ...FORM, canary_percent: 80, on_timeout: 'pause' }, {})).toEqual({
    partition_set: 'days',
    selection: 'all',
  })
})

test('what is chosen is sent with the names of the API', () => {
  const form = readLaunch({
    ...FORM,
    order: 'newest',
    line: 'previous',
    priority: '-5',
    at_once: '4',
    tag: ['team=a=b', 'urgent'],
    in_row: '3',
    window: 'mon-fri 20:00-06:00 UTC',
    canary: '2',
  })
  expect(requestOf({ ...form, ...FORM }, { steps: {} })).toEqual({
    partition_set: 'days',
    selection: 'all',
    ordering: 'newest',
    depends_on_previous: true,
    priority: -5,
    max_active_runs: 4,
    tags: { team: 'a=b', urgent: '' },
    breaker: { in_row: 3 },
    windows: [
      {
        days: ['mon', 'tue', 'wed', 'thu', 'fri'],
        start: '20:00',
        end: '06:00',
        zone: 'UTC',
      },
    ],
    canary: 2,
    run_config: { steps: {} },
  })
})

test('a backfill is cloned as it was asked for', () => {
  const backfill = {
    id: '7',
    partition_set: 'days',
    selection: '[a...b]',
    reprocess: 'failed',
    steps: ['load'],
    ordering: 'oldest',
    max_active_runs: null,
    partitions_per_run: null,
    priority: 3,
    max_failures: 0,
    tags: { team: 'x' },
    note: null,
    run_config: { steps: { load: { config: { rows: 1 } } } },
    run_timeout_seconds: null,
    timeout_seconds: null,
    on_timeout: 'cancel',
    sequential: false,
    depends_on_previous: false,
    canary: null,
    canary_percent: 100,
    on_conflict: 'wait',
    quiet: false,
    breaker: { in_row: 2, in_all: null, percent: null, last: null },
    windows: [{ days: ['mon', 'tue'], start: '20:00', end: '24:00', zone: 'UTC' }],
  } as unknown as Schemas['Backfill']
  expect(launchSearchOf(backfill)).toEqual({
    set: 'days',
    select: '[a...b]',
    reprocess: 'failed',
    step: ['load'],
    priority: 3,
    tag: ['team=x'],
    config: 'steps:\n  load:\n    config:\n      rows: 1\n',
    in_row: 2,
    window: ['mon,tue 20:00-24:00 UTC'],
    from: '7',
  })
})
