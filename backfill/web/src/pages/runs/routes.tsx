import { createRoute, lazyRouteComponent } from '@tanstack/react-router'

import { only, text } from '@/parts/search'
import { rootRoute } from '@/shell/root'

export const runsRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/runs',
  validateSearch: (raw: Record<string, unknown>) => only({ cursor: text(raw, 'cursor') }),
  component: lazyRouteComponent(() => import('./RunsPage'), 'RunsPage'),
})

export const runRoutes = [runsRoute] as const
