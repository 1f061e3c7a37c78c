/** The frame of the app: who may see it, navigation, what is live, and the page. */
import { createRootRoute, Outlet, useLocation } from '@tanstack/react-router'
import { useQuery } from '@tanstack/react-query'

import { sessionQuery } from '@/api/session'
import { useLive } from '@/live/live'
import { ErrorBoundary } from '@/parts/ErrorBoundary'
import { TooltipProvider } from '@/parts/overlays'
import { Page } from '@/parts/Page'
import { Empty, Loading, ProblemShown } from '@/parts/Shown'
import { Toasts } from '@/parts/toasts'
import { ConnectionBanner } from './ConnectionBanner'
import { LogInPage } from './LogInPage'
import { Navigation } from './Navigation'
import styles from './root.module.css'

export const rootRoute = createRootRoute({
  component: Root,
  notFoundComponent: NotFound,
})

function Root() {
  const session = useQuery(sessionQuery)
  if (session.data === null) return <LogInPage />
  if (session.data) return <Inside />
  return session.isPending ? (
    <Loading />
  ) : (
    <ProblemShown error={session.error} again={() => void session.refetch()} />
  )
}

function Inside() {
  useLive()
  const path = useLocation({ select: (location) => location.pathname })
  return (
    <TooltipProvider delayDuration={350}>
      <a className={styles.skip} href="#page">
        Skip to the page
      </a>
      <div className={styles.frame}>
        <Navigation />
        <main id="page" className={styles.main} tabIndex={-1}>
          <ConnectionBanner />
          <ErrorBoundary of={path}>
            <Outlet />
          </ErrorBoundary>
        </main>
      </div>
      <Toasts />
    </TooltipProvider>
  )
}

function NotFound() {
  return (
    <Page title="Not found">
      <Empty title="There is no such page">The address leads nowhere.</Empty>
    </Page>
  )
}
