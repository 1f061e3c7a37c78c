import { createRoute, lazyRouteComponent } from '@tanstack/react-router'

import { only, text } from '@/parts/search'
import { rootRoute } from '@/shell/root'

export const backfillsRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/backfills',
  validateSearch: (raw: Record<string, unknown>) => only({ cursor: text(raw, 'cursor') }),
  component: lazyRouteComponent(() => import('./BackfillsPage'), 'BackfillsPage'),
})

export const backfillRoutes = [backfillsRoute] as const
