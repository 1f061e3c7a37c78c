import { createRoute, lazyRouteComponent } from '@tanstack/react-router'

import { list, count, oneOf, only, someOf, text } from '@/parts/search'
import { rootRoute } from '@/shell/root'
import { RUN_STATES } from '@/states.generated'
import { LEVELS } from './logs'

export const RUN_TABS = ['logs', 'steps', 'config', 'lineage', 'events'] as const
export type RunTab = (typeof RUN_TABS)[number]

export const runsRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/runs',
  validateSearch: (raw: Record<string, unknown>) =>
    only({
      state: someOf(raw, 'state', RUN_STATES),
      pipeline: text(raw, 'pipeline'),
      set: text(raw, 'set'),
      partition: text(raw, 'partition'),
      backfill: count(raw, 'backfill'),
      schedule: text(raw, 'schedule'),
      tag: list(raw, 'tag'),
      after: text(raw, 'after'),
      before: text(raw, 'before'),
      cursor: text(raw, 'cursor'),
    }),
  component: lazyRouteComponent(() => import('./RunsPage'), 'RunsPage'),
})

export const runRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/runs/$runId',
  validateSearch: (raw: Record<string, unknown>) =>
    only({
      tab: oneOf(raw, 'tab', RUN_TABS),
      step: text(raw, 'step'),
      attempt: count(raw, 'attempt'),
      level: oneOf(raw, 'level', LEVELS),
      find: text(raw, 'find'),
      cursor: text(raw, 'cursor'),
    }),
  component: lazyRouteComponent(() => import('./RunPage'), 'RunPage'),
})

export const runRoutes = [runsRoute, runRoute] as const
