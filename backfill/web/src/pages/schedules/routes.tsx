import { createRoute, lazyRouteComponent } from '@tanstack/react-router'

import { oneOf, only, text } from '@/parts/search'
import { rootRoute } from '@/shell/root'

export const TICK_STATES = ['started', 'success', 'skipped', 'failure'] as const

export const schedulesRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/schedules',
  component: lazyRouteComponent(() => import('./SchedulesPage'), 'SchedulesPage'),
})

export const scheduleRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/schedules/$name',
  validateSearch: (raw: Record<string, unknown>) =>
    only({ state: oneOf(raw, 'state', TICK_STATES), cursor: text(raw, 'cursor') }),
  component: lazyRouteComponent(() => import('./SchedulePage'), 'SchedulePage'),
})

export const scheduleRoutes = [schedulesRoute, scheduleRoute] as const
