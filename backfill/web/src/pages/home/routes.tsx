import { createRoute, redirect } from '@tanstack/react-router'

import { rootRoute } from '@/shell/root'

const home = createRoute({
  getParentRoute: () => rootRoute,
  path: '/',
  beforeLoad: () => {
    throw redirect({ to: '/backfills', replace: true })
  },
})

export const homeRoutes = [home] as const
