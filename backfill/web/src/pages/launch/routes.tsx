import { createRoute, lazyRouteComponent } from '@tanstack/react-router'

import { rootRoute } from '@/shell/root'
import { readLaunch } from './search'

export const launchRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/launch',
  validateSearch: readLaunch,
  component: lazyRouteComponent(() => import('./LaunchPage'), 'LaunchPage'),
})

export const launchRoutes = [launchRoute] as const
