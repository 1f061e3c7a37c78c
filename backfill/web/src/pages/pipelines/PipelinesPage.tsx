import { useQuery } from '@tanstack/react-query'

import { definitionsQuery } from '@/api/definitions'
import { Page } from '@/parts/Page'
import { Empty, Loaded } from '@/parts/Shown'

export function PipelinesPage() {
  const definitions = useQuery(definitionsQuery)
  return (
    <Page title="Pipelines">
      <Loaded query={definitions}>
        {({ pipelines }) =>
          pipelines.length ? (
            <div className="panel scroll-x">
              <table>
                <thead>
                  <tr>
                    <th>Pipeline</th>
                    <th className="number">Steps</th>
                    <th>Description</th>
                    <th>Defined in</th>
                  </tr>
                </thead>
                <tbody>
                  {pipelines.map((pipeline) => (
                    <tr key={pipeline.name}>
                      <td className="break">{pipeline.name}</td>
                      <td className="number">{pipeline.steps.length}</td>
                      <td>{pipeline.description}</td>
                      <td className="mono soft break">{pipeline.place}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          ) : (
            <Empty title="No pipelines">Nothing is defined in what the server loads.</Empty>
          )
        }
      </Loaded>
    </Page>
  )
}
