import { createRoute, lazyRouteComponent } from '@tanstack/react-router'

import { rootRoute } from '@/shell/root'
import { queryClient } from '@/api/query'
import { headQuery } from './matrix/columns'
import { filterOf, matrixSearch } from './matrix/search'
import { BUCKETS, overviewQuery, zoomOf } from './matrix/statistics'

export const partitionSetsRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/partition-sets',
  component: lazyRouteComponent(() => import('./PartitionSetsPage'), 'PartitionSetsPage'),
})

export const partitionsRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/partition-sets/$set',
  validateSearch: matrixSearch,
  loaderDeps: ({ search }) => ({ filter: filterOf(search), from: search.from, to: search.to }),
  // Ask while the page's code is still loaded; the page shows what came, and what did not.
  loader: ({ params, deps }) => {
    queryClient.query(headQuery(params.set, deps.filter)).catch(() => undefined)
    queryClient.query(overviewQuery(params.set, zoomOf(deps), BUCKETS)).catch(() => undefined)
  },
  component: lazyRouteComponent(() => import('./PartitionsPage'), 'PartitionsPage'),
})

export const partitionRoutes = [partitionSetsRoute, partitionsRoute] as const
