import { createRoute, lazyRouteComponent } from '@tanstack/react-router'

import { matrixSearch } from '@/pages/partitions/matrix/search'
import { oneOf, only, someOf, text } from '@/parts/search'
import { rootRoute } from '@/shell/root'
import { BACKFILL_STATES, RUN_STATES } from '@/states.generated'

export const BACKFILL_TABS = ['overview', 'matrix', 'runs', 'events', 'settings'] as const
export type BackfillTab = (typeof BACKFILL_TABS)[number]

export const backfillsRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/backfills',
  validateSearch: (raw: Record<string, unknown>) =>
    only({
      state: someOf(raw, 'state', BACKFILL_STATES),
      set: text(raw, 'set'),
      pipeline: text(raw, 'pipeline'),
      by: text(raw, 'by'),
      cursor: text(raw, 'cursor'),
    }),
  component: lazyRouteComponent(() => import('./BackfillsPage'), 'BackfillsPage'),
})

export const backfillRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/backfills/$backfillId',
  validateSearch: (raw: Record<string, unknown>) => ({
    ...matrixSearch({ ...raw, backfill: undefined }),
    ...only({
      tab: oneOf(raw, 'tab', BACKFILL_TABS),
      state: someOf(raw, 'state', RUN_STATES),
      cursor: text(raw, 'cursor'),
    }),
  }),
  component: lazyRouteComponent(() => import('./BackfillPage'), 'BackfillPage'),
})

export const backfillRoutes = [backfillsRoute, backfillRoute] as const
