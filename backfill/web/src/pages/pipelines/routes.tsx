import { createRoute, lazyRouteComponent } from '@tanstack/react-router'

import { rootRoute } from '@/shell/root'

export const pipelinesRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/pipelines',
  component: lazyRouteComponent(() => import('./PipelinesPage'), 'PipelinesPage'),
})

export const pipelineRoutes = [pipelinesRoute] as const
