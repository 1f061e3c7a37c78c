import { useCallback } from 'react'

import { LaunchLink } from '@/pages/launch/LaunchLink'
import { PipelineLink } from '@/parts/links'
import { Page } from '@/parts/Page'
import { useQuery } from '@tanstack/react-query'
import { definitionsQuery } from '@/api/definitions'
import { RunMatrix, type ChangeSearch } from './matrix/RunMatrix'
import { partitionsRoute } from './routes'

/** The partitions of a set: its Run Matrix. */
export function PartitionsPage() {
  const { set } = partitionsRoute.useParams()
  const search = partitionsRoute.useSearch()
  const navigate = partitionsRoute.useNavigate()
  const definitions = useQuery(definitionsQuery)
  const found = definitions.data?.partition_sets.find(({ name }) => name === set)
  const onSearch: ChangeSearch = useCallback(
    (change, how) => {
      void navigate({
        search: (old) => ({ ...old, ...change }),
        replace: how?.replace ?? false,
        resetScroll: false,
      })
    },
    [navigate],
  )
  return (
    <Page
      wide
      title={set}
      within={found && <PipelineLink name={found.pipeline} />}
      actions={<LaunchLink search={{ set }} />}
    >
      <RunMatrix set={set} search={search} onSearch={onSearch} />
    </Page>
  )
}
