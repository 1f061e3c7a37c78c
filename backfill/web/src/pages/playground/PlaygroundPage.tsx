import { useQuery } from '@tanstack/react-query'

import { definitionsQuery } from '@/api/definitions'
import { Page } from '@/parts/Page'
import { Empty, Loaded } from '@/parts/Shown'
import Playground from './Playground'
import { playgroundRoute } from './routes'

/** The Playground; an address with a partition opens a tab with its config. */
export function PlaygroundPage() {
  const asked = playgroundRoute.useSearch()
  const definitions = useQuery(definitionsQuery)
  return (
    <Page title="Playground">
      <Loaded query={definitions}>
        {({ pipelines }) =>
          pipelines.length ? (
            <Playground asked={asked} />
          ) : (
            <Empty title="No pipelines">Nothing is defined in what the server loads.</Empty>
          )
        }
      </Loaded>
    </Page>
  )
}
