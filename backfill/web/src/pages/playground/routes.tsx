import { createRoute, lazyRouteComponent } from '@tanstack/react-router'

import { only, text } from '@/parts/search'
import { rootRoute } from '@/shell/root'

export const playgroundRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/playground',
  validateSearch: (raw: Record<string, unknown>) =>
    only({
      pipeline: text(raw, 'pipeline'),
      set: text(raw, 'set'),
      partition: text(raw, 'partition'),
    }),
  component: lazyRouteComponent(() => import('./PlaygroundPage'), 'PlaygroundPage'),
})

export const playgroundRoutes = [playgroundRoute] as const
