import { useState } from 'react'

import { api, call } from '@/api/client'
import { AskDialog } from '@/parts/AskDialog'
import { AgainFields, bodyOf, isReady, type Again } from '@/pages/runs/again'
import { pathOf, type Backfill } from './queries'

/** Asks what of a backfill to try again, and how. */
export function RetryDialog({ backfill, onClose }: { backfill: Backfill; onClose: () => void }) {
  const { counts } = backfill
  const there = (
    [
      ['failed', 'failed', counts.failed],
      ['canceled', 'canceled', counts.canceled],
      ['missing', 'never launched', counts.unlaunched],
    ] as const
  ).filter(([, , count]) => count > 0)
  const [off, setOff] = useState<ReadonlySet<string>>(new Set())
  const [again, setAgain] = useState<Again>({ mode: 'from_failure', steps: undefined })
  const statuses = there.map(([status]) => status).filter((status) => !off.has(status))
  const count = there.reduce((sum, [status, , n]) => sum + (off.has(status) ? 0 : n), 0)
  const toggle = (status: string) => {
    const next = new Set(off)
    if (!next.delete(status)) next.add(status)
    setOff(next)
  }
  return (
    <AskDialog
      title={`Try again in backfill ${backfill.id}`}
      description="Each gets a new run within this backfill, which goes on."
      action={`Retry ${count.toLocaleString()} ${count === 1 ? 'partition' : 'partitions'}`}
      withNote
      ready={statuses.length > 0 && isReady(again)}
      act={(note) =>
        call(
          api.POST('/api/v1/backfills/{backfill_id}/retry', {
            ...pathOf(backfill.id),
            body: { statuses, note, ...bodyOf(again) },
          }),
        )
      }
      onClose={onClose}
    >
      <fieldset className="plain-fields">
        <legend>Which partitions</legend>
        {there.map(([status, words, n]) => (
          <label key={status} className="row">
            <input type="checkbox" checked={!off.has(status)} onChange={() => toggle(status)} />
            {n.toLocaleString()} {words}
          </label>
        ))}
      </fieldset>
      <AgainFields pipeline={backfill.pipeline} again={again} onChange={setAgain} />
    </AskDialog>
  )
}
