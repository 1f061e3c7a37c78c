/** The columns near those in sight, loaded page by page. */
import { useQueries, useQueryClient } from '@tanstack/react-query'
import { useCallback, useMemo } from 'react'

import { pageQuery, type Column } from './columns'
import { PAGE, pagesOf } from './layout'
import type { ColumnFilter } from './search'

export interface Columns {
  /** A loaded column, also one that was left lately. */
  at: (place: number) => Column | undefined
  error: Error | null
  /** Changes when anything that is loaded does. */
  stamp: number
  /** Whether all of what is asked for is there. */
  ready: boolean
}

/** Load the pages of the columns from `first` to before `stop`. */
export function useColumns(
  set: string,
  filter: ColumnFilter,
  previous: boolean,
  sight: readonly [number, number],
  count: number,
): Columns {
  const client = useQueryClient()
  const pages = useMemo(
    () => pagesOf(Math.min(sight[0], count), Math.min(sight[1], count)),
    [sight, count],
  )
  const answers = useQueries({
    queries: pages.map((page) => pageQuery(set, filter, previous, page)),
    combine: (found) => ({
      stamp: found.reduce((sum, one) => sum + one.dataUpdatedAt, 0),
      error: found.find((one) => one.error && !one.data)?.error ?? null,
      ready: found.every((one) => one.data),
    }),
  })
  const at = useCallback(
    (place: number) => {
      const { queryKey } = pageQuery(set, filter, previous, Math.floor(place / PAGE))
      const page = client.getQueryData(queryKey)
      return page?.columns[place - page.place]
    },
    [client, set, filter, previous],
  )
  return { at, ...answers }
}
