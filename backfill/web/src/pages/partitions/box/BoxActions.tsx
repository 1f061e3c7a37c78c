/** What an operator can do from a box. */
import { Ban, ChevronDown, RotateCcw } from 'lucide-react'
import { useState } from 'react'

import { api, call, type Schemas } from '@/api/client'
import { useMay } from '@/api/session'
import { pathOf } from '@/pages/runs/queries'
import { AskDialog } from '@/parts/AskDialog'
import { Button } from '@/parts/Button'
import { Menu, MenuItem, MenuLine } from '@/parts/overlays'
import { withDownstream, type StepNode } from '@/parts/steps'
import { toast } from '@/parts/toasts'
import { RUN_FINAL } from '@/states.generated'
import { keyText } from '../matrix/selectionText'
import { BlockDialog } from './BlockButton'

interface Props {
  set: string
  partition: string
  step: string
  steps: readonly StepNode[]
  newest: Schemas['BoxRun'] | undefined
}

type Asked = 'step' | 'downstream' | 'failure' | 'succeeded' | 'block'

export function BoxActions(props: Props) {
  const { set, partition, step, steps, newest } = props
  const may = useMay('operator')
  const [asked, ask] = useState<Asked | null>(null)
  const isOver = newest !== undefined && RUN_FINAL.has(newest.state)
  const why = !may
    ? 'This needs the role operator.'
    : !isOver
      ? 'There is no finished run of this partition to go on from.'
      : undefined
  const downstream = withDownstream(steps, step)
  return (
    <div className="row">
      <Button kind="primary" disabled={why !== undefined} title={why} onClick={() => ask('step')}>
        <RotateCcw size={15} aria-hidden />
        Run again
      </Button>
      <Menu
        label="More to do from this box"
        trigger={
          <Button disabled={!may} title={may ? undefined : 'This needs the role operator.'}>
            More <ChevronDown size={14} aria-hidden />
          </Button>
        }
      >
        <MenuItem disabled={!isOver} onSelect={() => ask('downstream')}>
          Run this step and downstream
        </MenuItem>
        <MenuItem
          disabled={newest?.state !== 'failed' && newest?.state !== 'canceled'}
          onSelect={() => ask('failure')}
        >
          Run from failure
        </MenuItem>
        <MenuLine />
        <MenuItem onSelect={() => ask('succeeded')}>Mark succeeded</MenuItem>
        <MenuItem danger onSelect={() => ask('block')}>
          <Ban size={14} aria-hidden />
          Block the partition
        </MenuItem>
      </Menu>
      {asked === 'step' && newest && (
        <Again id={newest.run_id} mode="steps" steps={[step]} onClose={() => ask(null)} />
      )}
      {asked === 'downstream' && newest && (
        <Again id={newest.run_id} mode="steps" steps={downstream} onClose={() => ask(null)} />
      )}
      {asked === 'failure' && newest && (
        <Again id={newest.run_id} mode="from_failure" onClose={() => ask(null)} />
      )}
      {asked === 'succeeded' && (
        <AskDialog
          title={`Mark ${step} of ${partition} succeeded?`}
          description="It counts as succeeded until a run that ends later says otherwise."
          action="Mark succeeded"
          withNote
          act={(note) =>
            call(
              api.POST('/api/v1/partition-sets/{name}/mark', {
                params: { path: { name: set } },
                body: { selection: keyText(partition), status: 'succeeded', steps: [step], note },
              }),
            )
          }
          onClose={() => ask(null)}
        />
      )}
      {asked === 'block' && (
        <BlockDialog set={set} selection={keyText(partition)} onClose={() => ask(null)} />
      )}
    </div>
  )
}

function Again({
  id,
  mode,
  steps,
  onClose,
}: {
  id: string
  mode: Schemas['ReexecutionMode']
  steps?: string[]
  onClose: () => void
}) {
  const act = async (note: string | null) => {
    const body = { mode, ...(steps ? { steps } : {}), note }
    const made = await call(api.POST('/api/v1/runs/{run_id}/re-execute', { ...pathOf(id), body }))
    toast(`Run ${made.id} was made.`)
  }
  return (
    <AskDialog
      title={`Run ${steps ? steps.join(', ') : 'from failure'} again?`}
      description={
        steps
          ? 'A new run executes these steps; what they need of others is loaded.'
          : 'A new run executes what failed and what comes after it; the rest is loaded.'
      }
      action="Run again"
      withNote
      act={act}
      onClose={onClose}
    />
  )
}
