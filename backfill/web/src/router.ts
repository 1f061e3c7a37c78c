import { createRouter } from '@tanstack/react-router'

import { Loading, ProblemShown } from '@/parts/Shown'
import { parseSearch, stringifySearch } from '@/parts/search'
import { routeTree } from './routes'

export const router = createRouter({
  routeTree,
  parseSearch,
  stringifySearch,
  defaultPreload: false,
  defaultPendingComponent: Loading,
  defaultErrorComponent: ({ error, reset }) =>
    ProblemShown({ error: error instanceof Error ? error : null, again: reset }),
  scrollRestoration: true,
  scrollToTopSelectors: ['#page'],
})

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router
  }
}
