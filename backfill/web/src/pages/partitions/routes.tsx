import { createRoute, lazyRouteComponent } from '@tanstack/react-router'

import { rootRoute } from '@/shell/root'

export const partitionSetsRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/partition-sets',
  component: lazyRouteComponent(() => import('./PartitionSetsPage'), 'PartitionSetsPage'),
})

export const partitionRoutes = [partitionSetsRoute] as const
