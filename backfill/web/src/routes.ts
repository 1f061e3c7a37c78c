/** Every page, by noun. */
import { backfillRoutes } from '@/pages/backfills/routes'
import { homeRoutes } from '@/pages/home/routes'
import { launchRoutes } from '@/pages/launch/routes'
import { partitionRoutes } from '@/pages/partitions/routes'
import { pipelineRoutes } from '@/pages/pipelines/routes'
import { playgroundRoutes } from '@/pages/playground/routes'
import { runRoutes } from '@/pages/runs/routes'
import { scheduleRoutes } from '@/pages/schedules/routes'
import { settingRoutes } from '@/pages/settings/routes'
import { workerRoutes } from '@/pages/workers/routes'
import { rootRoute } from '@/shell/root'

export const routeTree = rootRoute.addChildren([
  ...homeRoutes,
  ...backfillRoutes,
  ...launchRoutes,
  ...runRoutes,
  ...partitionRoutes,
  ...pipelineRoutes,
  ...playgroundRoutes,
  ...scheduleRoutes,
  ...workerRoutes,
  ...settingRoutes,
])
