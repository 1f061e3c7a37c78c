import { createRoute, lazyRouteComponent } from '@tanstack/react-router'

import { rootRoute } from '@/shell/root'

export const schedulesRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/schedules',
  component: lazyRouteComponent(() => import('./SchedulesPage'), 'SchedulesPage'),
})

export const scheduleRoutes = [schedulesRoute] as const
