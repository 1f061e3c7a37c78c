import { lazy, Suspense, useCallback } from 'react'

import type { ChangeSearch } from '@/pages/partitions/matrix/RunMatrix'
import { matrixSearch } from '@/pages/partitions/matrix/search'
import { Loading } from '@/parts/Shown'
import type { Backfill } from './queries'
import { backfillRoute } from './routes'

const RunMatrix = lazy(async () => {
  const { RunMatrix: component } = await import('@/pages/partitions/matrix/RunMatrix')
  return { default: component }
})

/** The Run Matrix, only of partitions that the backfill has runs of. */
export function BackfillMatrix({ backfill }: { backfill: Backfill }) {
  const search = matrixSearch(backfillRoute.useSearch())
  const navigate = backfillRoute.useNavigate()
  const onSearch: ChangeSearch = useCallback(
    (change, how) => {
      void navigate({
        search: (old) => ({ ...old, ...change, backfill: undefined }),
        replace: how?.replace ?? false,
        resetScroll: false,
      })
    },
    [navigate],
  )
  return (
    <Suspense fallback={<Loading what="Loading the matrix" />}>
      <RunMatrix
        set={backfill.partition_set}
        search={{ ...search, backfill: backfill.id }}
        onSearch={onSearch}
      />
    </Suspense>
  )
}
