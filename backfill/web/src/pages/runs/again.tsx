/** How to do again: from the failure, chosen steps, or everything. */
import { useQuery, queryOptions } from '@tanstack/react-query'

import { api, call, type Schemas } from '@/api/client'
import { Choice } from '@/parts/Choice'
import { StepPicker } from '@/parts/StepPicker'

export interface Again {
  mode: Schemas['ReexecutionMode']
  steps: string[] | undefined
}

/** A pipeline with its steps and the schema of its config. */
export function pipelineQuery(name: string) {
  return queryOptions({
    queryKey: ['pipeline', name],
    queryFn: ({ signal }) =>
      call(api.GET('/api/v1/pipelines/{name}', { params: { path: { name } }, signal })),
    staleTime: 30_000,
  })
}

/** Say whether what was chosen can be sent. */
export function isReady(again: Again): boolean {
  return again.mode !== 'steps' || (again.steps?.length ?? 0) > 0
}

/** What the server is sent of it. */
export function bodyOf(again: Again): { mode: Again['mode']; steps?: string[] } {
  return again.mode === 'steps' && again.steps
    ? { mode: again.mode, steps: again.steps }
    : { mode: again.mode }
}

export function AgainFields({
  pipeline,
  again,
  onChange,
}: {
  /** None where runs of several are done again: then steps cannot be chosen. */
  pipeline: string | null | undefined
  again: Again
  onChange: (again: Again) => void
}) {
  return (
    <>
      <Choice
        label="What is executed"
        value={again.mode}
        onChange={(mode) => onChange({ mode, steps: again.steps })}
        options={[
          {
            value: 'from_failure',
            label: 'From failure',
            help: 'What succeeded is not executed again; its outputs are loaded.',
          },
          ...(pipeline
            ? [
                {
                  value: 'steps' as const,
                  label: 'Chosen steps',
                  help: 'What they need of other steps is loaded.',
                },
              ]
            : []),
          { value: 'all', label: 'Everything', help: 'Every step, from the beginning.' },
        ]}
      />
      {again.mode === 'steps' && pipeline && (
        <Steps
          pipeline={pipeline}
          chosen={again.steps}
          onChange={(steps) => onChange({ mode: 'steps', steps })}
        />
      )}
    </>
  )
}

function Steps({
  pipeline,
  chosen,
  onChange,
}: {
  pipeline: string
  chosen: string[] | undefined
  onChange: (steps: string[] | undefined) => void
}) {
  const { data, error } = useQuery(pipelineQuery(pipeline))
  if (!data) return <span className="soft">{error?.message ?? 'Loading the steps…'}</span>
  const all = data.steps.map((step) => step.name)
  return (
    <StepPicker
      steps={data.steps}
      chosen={chosen ?? []}
      onChange={(steps) => onChange(steps ?? all)}
    />
  )
}
