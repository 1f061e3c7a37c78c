import { createRoute, lazyRouteComponent } from '@tanstack/react-router'

import { oneOf, only, text } from '@/parts/search'
import { rootRoute } from '@/shell/root'

export const SETTINGS_TABS = ['tokens', 'audit', 'about'] as const

export const settingsRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/settings',
  validateSearch: (raw: Record<string, unknown>) =>
    only({ tab: oneOf(raw, 'tab', SETTINGS_TABS), cursor: text(raw, 'cursor') }),
  component: lazyRouteComponent(() => import('./SettingsPage'), 'SettingsPage'),
})

export const settingRoutes = [settingsRoute] as const
