import { createRoute, lazyRouteComponent } from '@tanstack/react-router'

import { oneOf, only, text } from '@/parts/search'
import { rootRoute } from '@/shell/root'

export const PIPELINE_TABS = ['graph', 'partitions', 'playground', 'runs', 'schedules'] as const

export const pipelinesRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/pipelines',
  component: lazyRouteComponent(() => import('./PipelinesPage'), 'PipelinesPage'),
})

export const pipelineRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/pipelines/$name',
  validateSearch: (raw: Record<string, unknown>) =>
    only({
      tab: oneOf(raw, 'tab', PIPELINE_TABS),
      step: text(raw, 'step'),
      cursor: text(raw, 'cursor'),
    }),
  component: lazyRouteComponent(() => import('./PipelinePage'), 'PipelinePage'),
})

export const pipelineRoutes = [pipelinesRoute, pipelineRoute] as const
