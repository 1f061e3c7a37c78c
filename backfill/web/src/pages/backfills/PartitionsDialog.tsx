import { useState } from 'react'

import { api, call } from '@/api/client'
import { AskDialog } from '@/parts/AskDialog'
import { toast } from '@/parts/toasts'
import { pathOf, type Backfill } from './queries'

/** Gives a backfill further partitions, or takes some out of it. */
export function PartitionsDialog({
  backfill,
  how,
  onClose,
}: {
  backfill: Backfill
  how: 'add' | 'remove'
  onClose: () => void
}) {
  const [selection, select] = useState('')
  const [alsoRunning, setAlsoRunning] = useState(false)
  const add = async (note: string | null) => {
    const body = { selection, note }
    const done = await call(
      api.POST('/api/v1/backfills/{backfill_id}/partitions/add', { ...pathOf(backfill.id), body }),
    )
    const left = Object.entries(done.left_out).map(([why, n]) => `${n.toLocaleString()} ${why}`)
    toast(
      `${done.added.toLocaleString()} partitions added.${left.length ? ` Left out: ${left.join(', ')}.` : ''}`,
    )
  }
  const remove = async (note: string | null) => {
    const body = { selection, note, cancel_running: alsoRunning }
    const done = await call(
      api.POST('/api/v1/backfills/{backfill_id}/partitions/remove', {
        ...pathOf(backfill.id),
        body,
      }),
    )
    toast(
      `${done.skipped.toLocaleString()} skipped, ${done.told.toLocaleString()} running ones told to stop.`,
    )
  }
  return (
    <AskDialog
      title={how === 'add' ? 'Add partitions' : 'Remove partitions'}
      description={
        how === 'add'
          ? `Backfill ${backfill.id} runs these, too; if it is over, it goes on.`
          : 'What has not begun of these is skipped; what runs goes on.'
      }
      action={how === 'add' ? 'Add' : 'Remove'}
      danger={how === 'remove'}
      withNote
      ready={selection.trim() !== ''}
      act={how === 'add' ? add : remove}
      onClose={onClose}
    >
      <div className="field">
        <label htmlFor="partitions">Selection</label>
        <textarea
          id="partitions"
          className="mono"
          rows={2}
          spellCheck={false}
          placeholder="[2026-06-01...2026-06-30]"
          value={selection}
          onChange={(event) => select(event.target.value)}
        />
      </div>
      {how === 'remove' && (
        <label className="row">
          <input
            type="checkbox"
            checked={alsoRunning}
            onChange={(event) => setAlsoRunning(event.target.checked)}
          />
          Tell those that run to stop, too
        </label>
      )}
    </AskDialog>
  )
}
