import { useNavigate } from '@tanstack/react-router'
import { Ban, ChevronDown, Copy, Minus, Pause, Pencil, Play, Plus, RotateCcw } from 'lucide-react'
import { useState } from 'react'

import { useMay } from '@/api/session'
import { AskDialog } from '@/parts/AskDialog'
import { Button } from '@/parts/Button'
import { Menu, MenuItem, MenuLine } from '@/parts/overlays'
import { toast } from '@/parts/toasts'
import { EditDialog } from './EditDialog'
import { PartitionsDialog } from './PartitionsDialog'
import { isOver, steer, type Backfill } from './queries'
import { RetryDialog } from './RetryDialog'

type Asking =
  'pause' | 'resume' | 'cancel' | 'retry' | 'edit' | 'add' | 'remove' | 'skip' | 'retarget' | null
const NOT_ALLOWED = 'This needs the role operator.'

/** What an operator can do with a backfill. */
export function BackfillActions({ backfill }: { backfill: Backfill }) {
  const may = useMay('operator')
  const navigate = useNavigate()
  const [asking, ask] = useState<Asking>(null)
  const { id, state, counts } = backfill
  const over = isOver(backfill)
  const again = counts.failed + counts.canceled + counts.unlaunched
  const locked = may ? {} : { disabled: true, title: NOT_ALLOWED }
  const close = () => ask(null)
  const clone = async () => {
    const { launchSearchOf } = await import('@/pages/launch/request')
    await navigate({ to: '/launch', search: launchSearchOf(backfill) })
  }
  return (
    <>
      {(state === 'requested' || state === 'running') && (
        <Button onClick={() => ask('pause')} {...locked}>
          <Pause size={15} aria-hidden />
          Pause
        </Button>
      )}
      {state === 'paused' && (
        <Button kind="primary" onClick={() => ask('resume')} {...locked}>
          <Play size={15} aria-hidden />
          Resume
        </Button>
      )}
      {again > 0 && state !== 'canceling' && (
        <Button kind={over ? 'primary' : 'plain'} onClick={() => ask('retry')} {...locked}>
          <RotateCcw size={15} aria-hidden />
          Retry {counts.failed && !counts.canceled && !counts.unlaunched ? 'failed' : '…'}
        </Button>
      )}
      {!over && state !== 'canceling' && (
        <Button kind="danger" onClick={() => ask('cancel')} {...locked}>
          <Ban size={15} aria-hidden />
          Cancel
        </Button>
      )}
      <Menu
        label="More"
        trigger={
          <Button {...locked}>
            More
            <ChevronDown size={14} aria-hidden />
          </Button>
        }
      >
        <MenuItem onSelect={() => ask('edit')} disabled={over}>
          <Pencil size={14} aria-hidden />
          Edit…
        </MenuItem>
        <MenuItem onSelect={() => ask('add')} disabled={state === 'canceling'}>
          <Plus size={14} aria-hidden />
          Add partitions…
        </MenuItem>
        <MenuItem onSelect={() => ask('remove')} disabled={over}>
          <Minus size={14} aria-hidden />
          Remove partitions…
        </MenuItem>
        {backfill.stopped_by !== null && (
          <MenuItem onSelect={() => ask('skip')}>Skip what stops the line…</MenuItem>
        )}
        <MenuItem onSelect={() => ask('retarget')} disabled={over}>
          Bring up to date with its set…
        </MenuItem>
        <MenuLine />
        <MenuItem onSelect={() => void clone()}>
          <Copy size={14} aria-hidden />
          Clone…
        </MenuItem>
      </Menu>
      {asking === 'pause' && (
        <AskDialog
          title={`Pause backfill ${id}?`}
          description="Nothing of it starts any more, and what is queued is recalled. What runs goes on to its end."
          action="Pause"
          withNote
          act={(note) => steer.pause(id, note)}
          onClose={close}
        />
      )}
      {asking === 'resume' && (
        <AskDialog
          title={`Resume backfill ${id}?`}
          description={
            backfill.pause_reason
              ? `It was paused: ${backfill.pause_reason}`
              : 'Its runs start again as slots are free.'
          }
          action="Resume"
          withNote
          act={(note) => steer.resume(id, note)}
          onClose={close}
        />
      )}
      {asking === 'cancel' && (
        <AskDialog
          title={`Cancel backfill ${id}?`}
          description={`${(counts.pending + counts.queued).toLocaleString()} runs that wait never start, and ${counts.running.toLocaleString()} that run are told to stop. What succeeded stays.`}
          action="Cancel backfill"
          danger
          withNote
          act={(note) => steer.cancel(id, note)}
          onClose={close}
        />
      )}
      {asking === 'retarget' && (
        <AskDialog
          title={`Bring backfill ${id} up to date?`}
          description="Partitions that joined the set and fit the selection get a run; runs of partitions that left it are skipped."
          action="Bring up to date"
          act={async () => {
            const done = await steer.retarget(id)
            toast(
              `${done.added.toLocaleString()} partitions added, ${done.skipped.toLocaleString()} skipped.`,
            )
          }}
          onClose={close}
        />
      )}
      {asking === 'edit' && <EditDialog backfill={backfill} onClose={close} />}
      {(asking === 'add' || asking === 'remove') && (
        <PartitionsDialog backfill={backfill} how={asking} onClose={close} />
      )}
      {asking === 'skip' && backfill.stopped_by !== null && (
        <AskDialog
          title={`Skip ${backfill.stopped_by}?`}
          description="The line goes on without it: the partition behind it does not wait for its success any more."
          action="Skip it"
          withNote
          act={(note) => steer.skip(id, backfill.stopped_by!, note)}
          onClose={close}
        />
      )}
      {asking === 'retry' && <RetryDialog backfill={backfill} onClose={close} />}
    </>
  )
}
