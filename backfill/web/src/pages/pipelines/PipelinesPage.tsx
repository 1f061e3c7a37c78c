import { useQuery } from '@tanstack/react-query'

import { definitionsQuery } from '@/api/definitions'
import { PipelineLink, SetLink } from '@/parts/links'
import { Page } from '@/parts/Page'
import { Empty, Loaded } from '@/parts/Shown'
import { LoadProblems } from './LoadProblems'

export function PipelinesPage() {
  const definitions = useQuery(definitionsQuery)
  return (
    <Page title="Pipelines">
      <Loaded query={definitions}>
        {({ pipelines, partition_sets: sets, problems }) => (
          <>
            <LoadProblems problems={problems} />
            {pipelines.length ? (
              <div className="panel scroll-x">
                <table>
                  <thead>
                    <tr>
                      <th>Pipeline</th>
                      <th className="number">Steps</th>
                      <th>Partition sets</th>
                      <th>Version</th>
                      <th>Defined in</th>
                    </tr>
                  </thead>
                  <tbody>
                    {pipelines.map((pipeline) => (
                      <tr key={pipeline.name}>
                        <td>
                          <PipelineLink name={pipeline.name} />
                          {pipeline.description && (
                            <div className="soft small">{pipeline.description.split('\n')[0]}</div>
                          )}
                        </td>
                        <td className="number">{pipeline.steps.length}</td>
                        <td>
                          {sets
                            .filter((set) => set.pipeline === pipeline.name)
                            .map((set) => (
                              <div key={set.name}>
                                <SetLink name={set.name} />
                              </div>
                            ))}
                        </td>
                        <td className="mono">{pipeline.version.slice(0, 12)}</td>
                        <td className="mono soft break">{pipeline.place}</td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
            ) : (
              <Empty title="No pipelines">Nothing is defined in what the server loads.</Empty>
            )}
          </>
        )}
      </Loaded>
    </Page>
  )
}
