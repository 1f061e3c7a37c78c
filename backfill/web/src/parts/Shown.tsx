/** What stands where data would: loading, nothing, an error, not allowed, not there. */
import type { UseQueryResult } from '@tanstack/react-query'
import { Ban, CircleAlert, Inbox, SearchX, Unplug } from 'lucide-react'
import type { ReactNode } from 'react'

import { ApiProblem, isUnreachable } from '@/api/client'
import { Button } from './Button'
import styles from './Shown.module.css'

/** Show what a query answered, or how it stands. */
export function Loaded<T>({
  query,
  children,
  loading,
}: {
  query: UseQueryResult<T>
  children: (data: T) => ReactNode
  /** Shown while nothing is known; a line by default. */
  loading?: ReactNode
}) {
  if (query.data !== undefined) return <>{children(query.data)}</>
  if (query.isPending) return <>{loading ?? <Loading />}</>
  return <ProblemShown error={query.error} again={() => void query.refetch()} />
}

export function Loading({ what = 'Loading' }: { what?: string }) {
  return (
    <div className={styles.shown} role="status">
      <span className={styles.spinner} aria-hidden />
      <span className="soft">{what}…</span>
    </div>
  )
}

/** Nothing is there; says why, and perhaps what to do. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className={styles.shown}>
      <Inbox aria-hidden />
      <strong>{title}</strong>
      {children && <div className="soft">{children}</div>}
    </div>
  )
}

/** An error as the server told it. */
export function ProblemShown({ error, again }: { error: Error | null; again?: () => void }) {
  const { icon, title } = kindOf(error)
  return (
    <div className={styles.shown} role="alert">
      {icon}
      <strong>{title}</strong>
      <div className={styles.detail}>{error?.message ?? 'Nothing more is known.'}</div>
      {again && <Button onClick={again}>Try again</Button>}
    </div>
  )
}

/** An error beside a form or a button. */
export function ProblemLine({ error }: { error: Error | null | undefined }) {
  if (!error) return null
  return (
    <div className={styles.line} role="alert">
      <CircleAlert size={15} aria-hidden />
      <span className="break">{error.message}</span>
    </div>
  )
}

function kindOf(error: Error | null): { icon: ReactNode; title: string } {
  if (isUnreachable(error)) return { icon: <Unplug aria-hidden />, title: 'Not connected' }
  const status = error instanceof ApiProblem ? error.status : 0
  if (status === 403) return { icon: <Ban aria-hidden />, title: 'Not allowed' }
  if (status === 404) return { icon: <SearchX aria-hidden />, title: 'Not found' }
  return { icon: <CircleAlert aria-hidden />, title: 'This did not work' }
}
