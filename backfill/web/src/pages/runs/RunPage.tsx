import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { ExternalLink } from 'lucide-react'

import { EventList } from '@/parts/EventList'
import { Figure, Figures } from '@/parts/Facts'
import { BackfillLink, PartitionLink, PipelineLink, RunLink, SetLink } from '@/parts/links'
import { Page } from '@/parts/Page'
import { Pager } from '@/parts/Pager'
import { Loaded } from '@/parts/Shown'
import { StateChip } from '@/parts/StateMark'
import { Tabs } from '@/parts/Tabs'
import { TagList } from '@/parts/TagList'
import { Duration, Time } from '@/parts/Time'
import { WhyPanel } from '@/parts/Why'
import { pipelineQuery } from './again'
import { Gantt } from './Gantt'
import { Lineage } from './Lineage'
import { LogView } from './LogView'
import { isOver, runEventsQuery, runQuery, runStepsQuery, type Run } from './queries'
import { runRoute, type RunTab } from './routes'
import { RunActions } from './RunActions'
import { RunConfig } from './RunConfig'
import { RunError } from './RunError'
import { StepDetails } from './StepDetails'

export function RunPage() {
  const { runId: id } = runRoute.useParams()
  const run = useQuery(runQuery(id))
  const known = run.data
  return (
    <Page
      title={known?.partition ? `Run ${id}: ${known.partition}` : `Run ${id}`}
      within={<Link to="/runs">Runs</Link>}
      heading={
        known && (
          <span className="row">
            Run {id} <StateChip state={known.state} />
          </span>
        )
      }
      actions={known && <RunActions run={known} />}
    >
      <Loaded query={run}>{(found) => <Found run={found} />}</Loaded>
    </Page>
  )
}

function Found({ run }: { run: Run }) {
  const { id } = run
  const { tab = 'logs', step, attempt } = runRoute.useSearch()
  const navigate = useNavigate({ from: runRoute.fullPath })
  const pipeline = useQuery(pipelineQuery(run.pipeline))
  const steps = useQuery(runStepsQuery(id))
  const order = (pipeline.data?.steps ?? [])
    .map((one) => one.name)
    .filter((name) => !run.steps || run.steps.includes(name))
  return (
    <>
      <Summary run={run} />
      {!isOver(run) && run.state !== 'running' && <WhyPanel kind="run" id={id} />}
      {steps.data && <RunError run={run} found={steps.data} />}
      {steps.data && (
        <Gantt
          found={steps.data}
          order={order}
          isGoing={run.state === 'running'}
          chosen={{ step, attempt }}
          onChoose={(nextStep, nextAttempt) =>
            void navigate({
              search: (old) => ({ ...old, step: nextStep, attempt: nextAttempt }),
              replace: true,
            })
          }
        />
      )}
      <Tabs<RunTab>
        label={`Parts of run ${id}`}
        value={tab}
        onChange={(next) =>
          void navigate({
            search: (old) => ({
              ...old,
              tab: next === 'logs' ? undefined : next,
              cursor: undefined,
            }),
          })
        }
        tabs={[
          ['logs', 'Log', () => <LogView key={`${step}/${attempt}`} runId={id} steps={order} />],
          [
            'steps',
            'Errors, metadata, outputs',
            () => <StepDetails query={steps} step={step} attempt={attempt} />,
          ],
          ['config', 'Config', () => <RunConfig run={run} />],
          ['lineage', 'Lineage', () => <Lineage run={run} />],
          ['events', 'Events', () => <Events id={id} />],
        ]}
      />
    </>
  )
}

function Summary({ run }: { run: Run }) {
  return (
    <section className="panel padded stack" aria-label="Summary">
      <Figures>
        {run.partition !== null && (
          <Figure
            name="Partition"
            value={<PartitionLink set={run.partition_set} partition={run.partition} />}
            more={<SetLink name={run.partition_set} />}
          />
        )}
        <Figure name="Pipeline" value={<PipelineLink name={run.pipeline} />} />
        <Figure
          name={isOver(run) ? 'Took' : 'Takes'}
          value={<Duration from={run.started_at} to={run.finished_at} />}
          more={<Began run={run} />}
        />
        {run.backfill_id && (
          <Figure name="Backfill" value={<BackfillLink id={run.backfill_id} />} />
        )}
        <Figure
          name="Attempt"
          value={run.attempt || '–'}
          more={
            [
              run.failures > 0 &&
                run.max_failures > 0 &&
                `${Math.min(run.failures, run.max_failures)} of ${run.max_failures} retries used`,
              run.crashes && `${run.crashes} crashes`,
            ]
              .filter(Boolean)
              .join(', ') || undefined
          }
        />
        {run.parent_id && (
          <Figure
            name="Re-executes"
            value={<RunLink id={run.parent_id} words={`run ${run.parent_id}`} />}
            more={run.mode?.replace('_', ' ')}
          />
        )}
        {run.worker && (
          <Figure
            name="Worker"
            value={<span className="break">{run.worker}</span>}
            more={
              run.flower_url && (
                <a href={run.flower_url} target="_blank" rel="noreferrer">
                  Task in Flower <ExternalLink size={11} aria-hidden />
                </a>
              )
            }
          />
        )}
      </Figures>
      {Object.keys(run.tags).length > 0 && <TagList tags={run.tags} />}
    </section>
  )
}

function Began({ run }: { run: Run }) {
  if (run.started_at) {
    return (
      <>
        began <Time at={run.started_at} />
      </>
    )
  }
  return (
    <>
      made <Time at={run.created_at} relative />
    </>
  )
}

function Events({ id }: { id: string }) {
  const { cursor } = runRoute.useSearch()
  const events = useQuery(runEventsQuery(id, cursor))
  return (
    <Loaded query={events}>
      {({ items, next }) => (
        <div className="stack">
          <EventList items={items} />
          <Pager cursor={cursor} next={next} />
        </div>
      )}
    </Loaded>
  )
}
