/** A pipeline: its graph and steps; partitions, Playground, runs and schedules of it. */
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { lazy, Suspense } from 'react'

import { definitionsQuery } from '@/api/definitions'
import { SetLink } from '@/parts/links'
import { Page } from '@/parts/Page'
import { Empty, Loaded, Loading } from '@/parts/Shown'
import { Tabs } from '@/parts/Tabs'
import { schedulesQuery } from '@/pages/schedules/queries'
import { SchedulesTable } from '@/pages/schedules/SchedulesTable'
import { duration } from '@/parts/times'
import { PipelineRuns } from './PipelineRuns'
import styles from './PipelinePage.module.css'
import { pipelineQuery, type Pipeline } from './queries'
import { pipelineRoute } from './routes'
import { StepFacts } from './StepFacts'

const StepGraph = lazy(() => import('./StepGraph'))
const Playground = lazy(() => import('@/pages/playground/Playground'))

export function PipelinePage() {
  const { name } = pipelineRoute.useParams()
  const { tab = 'graph', cursor } = pipelineRoute.useSearch()
  const navigate = useNavigate({ from: pipelineRoute.fullPath })
  const pipeline = useQuery(pipelineQuery(name))
  return (
    <Page title={name} within={<Link to="/pipelines">Pipelines</Link>}>
      <Loaded query={pipeline}>
        {(found) => (
          <Tabs
            label="Pipeline"
            value={tab}
            onChange={(chosen) =>
              void navigate({ search: chosen === 'graph' ? {} : { tab: chosen } })
            }
            tabs={[
              ['graph', 'Graph', () => <Graph pipeline={found} />],
              ['partitions', 'Partitions', () => <PartitionSets pipeline={name} />],
              [
                'playground',
                'Playground',
                () => (
                  <Suspense fallback={<Loading />}>
                    <Playground pipeline={name} />
                  </Suspense>
                ),
              ],
              ['runs', 'Runs', () => <PipelineRuns pipeline={name} cursor={cursor} />],
              ['schedules', 'Schedules', () => <Schedules pipeline={name} />],
            ]}
          />
        )}
      </Loaded>
    </Page>
  )
}

function Graph({ pipeline }: { pipeline: Pipeline }) {
  const { step: chosen } = pipelineRoute.useSearch()
  const navigate = useNavigate({ from: pipelineRoute.fullPath })
  const step = pipeline.steps.find((one) => one.name === chosen)
  return (
    <div className={styles.columns}>
      <div className="panel">
        <Suspense fallback={<Loading what="Drawing" />}>
          <StepGraph
            pipeline={pipeline}
            chosen={chosen}
            onChoose={(name) =>
              void navigate({ search: name === chosen ? {} : { step: name }, replace: true })
            }
          />
        </Suspense>
      </div>
      <aside className="panel padded">
        {step ? <StepFacts pipeline={pipeline} step={step} /> : <About pipeline={pipeline} />}
      </aside>
    </div>
  )
}

function About({ pipeline }: { pipeline: Pipeline }) {
  const facts: [string, string][] = [
    ['Version', pipeline.version],
    ['Steps at a time', String(pipeline.max_parallel_steps)],
    ['Time limit', pipeline.timeout_seconds === null ? '' : duration(pipeline.timeout_seconds)],
    [
      'Tags',
      Object.entries(pipeline.tags)
        .map(([key, value]) => `${key}: ${value}`)
        .join(', '),
    ],
    ['Defined in', pipeline.place],
  ]
  return (
    <section aria-label="About the pipeline">
      <h2>About</h2>
      {pipeline.description && <p className={styles.words}>{pipeline.description}</p>}
      <dl className={styles.facts}>
        {facts
          .filter(([, value]) => value)
          .map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd className="break">{value}</dd>
            </div>
          ))}
      </dl>
      <p className="soft">Choose a step to see what it takes.</p>
    </section>
  )
}

function PartitionSets({ pipeline }: { pipeline: string }) {
  const definitions = useQuery(definitionsQuery)
  return (
    <Loaded query={definitions}>
      {({ partition_sets: all }) => {
        const sets = all.filter((set) => set.pipeline === pipeline)
        if (!sets.length) return <Empty title="No partition set is of this pipeline" />
        return (
          <div className="panel scroll-x">
            <table>
              <thead>
                <tr>
                  <th>Partition set</th>
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
                    <td>{set.kind}</td>
                    <td>{set.description}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )
      }}
    </Loaded>
  )
}

function Schedules({ pipeline }: { pipeline: string }) {
  const schedules = useQuery(schedulesQuery)
  return (
    <Loaded query={schedules}>
      {({ items }) => {
        const own = items.filter((schedule) => schedule.definition?.pipeline === pipeline)
        if (!own.length) return <Empty title="No schedule is of this pipeline" />
        return (
          <div className="panel">
            <SchedulesTable schedules={own} />
          </div>
        )
      }}
    </Loaded>
  )
}
