import { useNavigate } from '@tanstack/react-router'
import { Ban, RotateCcw } from 'lucide-react'
import { useState } from 'react'

import { api, call } from '@/api/client'
import { useMay } from '@/api/session'
import { AskDialog } from '@/parts/AskDialog'
import { Button } from '@/parts/Button'
import { toast } from '@/parts/toasts'
import { AgainFields, bodyOf, isReady, type Again } from './again'
import { isOver, pathOf, type Run } from './queries'

/** What an operator can do with a run. */
export function RunActions({ run }: { run: Run }) {
  const may = useMay('operator')
  const [asking, ask] = useState<'cancel' | 'again' | null>(null)
  const locked = may ? {} : { disabled: true, title: 'This needs the role operator.' }
  const failed = run.state === 'failed' || run.state === 'canceled'
  return (
    <>
      {isOver(run) ? (
        <Button kind={failed ? 'primary' : 'plain'} onClick={() => ask('again')} {...locked}>
          <RotateCcw size={15} aria-hidden />
          Re-execute…
        </Button>
      ) : (
        <Button
          kind="danger"
          onClick={() => ask('cancel')}
          {...locked}
          {...(run.cancel_requested_at && { disabled: true, title: 'It was told to stop.' })}
        >
          <Ban size={15} aria-hidden />
          {run.cancel_requested_at ? 'Stopping…' : 'Cancel'}
        </Button>
      )}
      {asking === 'cancel' && (
        <AskDialog
          title={`Cancel run ${run.id}?`}
          description={
            run.state === 'running'
              ? 'Its worker is told to stop; what its steps did so far stays.'
              : 'It never starts.'
          }
          action="Cancel run"
          danger
          withNote
          act={(note) =>
            call(api.POST('/api/v1/runs/{run_id}/cancel', { ...pathOf(run.id), body: { note } }))
          }
          onClose={() => ask(null)}
        />
      )}
      {asking === 'again' && <AgainDialog run={run} isFailed={failed} onClose={() => ask(null)} />}
    </>
  )
}

function AgainDialog({
  run,
  isFailed,
  onClose,
}: {
  run: Run
  isFailed: boolean
  onClose: () => void
}) {
  const navigate = useNavigate()
  const [again, setAgain] = useState<Again>({
    mode: isFailed ? 'from_failure' : 'all',
    steps: undefined,
  })
  const act = async (note: string | null) => {
    const body = { ...bodyOf(again), note }
    const made = await call(
      api.POST('/api/v1/runs/{run_id}/re-execute', { ...pathOf(run.id), body }),
    )
    toast(`Run ${made.id} was made.`)
    await navigate({ to: '/runs/$runId', params: { runId: made.id } })
  }
  return (
    <AskDialog
      title={`Re-execute run ${run.id}`}
      description="A new run is made from it; this one stays as it is."
      action="Re-execute"
      withNote
      ready={isReady(again)}
      act={act}
      onClose={onClose}
    >
      <AgainFields pipeline={run.pipeline} again={again} onChange={setAgain} />
    </AskDialog>
  )
}
