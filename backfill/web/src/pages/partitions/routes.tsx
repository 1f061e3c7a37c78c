import { createRoute, lazyRouteComponent } from '@tanstack/react-router'

import { rootRoute } from '@/shell/root'
import { matrixSearch } from './matrix/search'

export const partitionSetsRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/partition-sets',
  component: lazyRouteComponent(() => import('./PartitionSetsPage'), 'PartitionSetsPage'),
})

export const partitionsRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/partition-sets/$set',
  validateSearch: matrixSearch,
  component: lazyRouteComponent(() => import('./PartitionsPage'), 'PartitionsPage'),
})

export const partitionRoutes = [partitionSetsRoute, partitionsRoute] as const
