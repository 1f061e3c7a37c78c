import { createRoute, lazyRouteComponent } from '@tanstack/react-router'

import { rootRoute } from '@/shell/root'

export const workersRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/workers',
  component: lazyRouteComponent(() => import('./WorkersPage'), 'WorkersPage'),
})

export const workerRoutes = [workersRoute] as const
