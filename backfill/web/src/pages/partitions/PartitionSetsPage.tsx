import { useQuery } from '@tanstack/react-query'

import { definitionsQuery } from '@/api/definitions'
import { PipelineLink, SetLink } from '@/parts/links'
import { Page } from '@/parts/Page'
import { Empty, Loaded } from '@/parts/Shown'

export function PartitionSetsPage() {
  const definitions = useQuery(definitionsQuery)
  return (
    <Page title="Partition sets">
      <Loaded query={definitions}>
        {({ partition_sets: sets }) =>
          sets.length ? (
            <div className="panel scroll-x">
              <table>
                <thead>
                  <tr>
                    <th>Partition set</th>
                    <th>Pipeline</th>
                    <th>Kind</th>
                    <th>Description</th>
                  </tr>
                </thead>
                <tbody>
                  {sets.map((set) => (
                    <tr key={set.name}>
                      <td>
                        <SetLink name={set.name} />
                      </td>
                      <td>
                        <PipelineLink name={set.pipeline} />
                      </td>
                      <td>{set.kind}</td>
                      <td>{set.description}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          ) : (
            <Empty title="No partition sets">Nothing is defined in what the server loads.</Empty>
          )
        }
      </Loaded>
    </Page>
  )
}
