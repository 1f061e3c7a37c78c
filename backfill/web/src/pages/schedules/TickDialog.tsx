/** Ticking by hand: first what it would do, then doing it. */
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useId, useState } from 'react'

import { api, call, type Schemas } from '@/api/client'
import { useMay } from '@/api/session'
import { Button } from '@/parts/Button'
import { RunLink } from '@/parts/links'
import { Dialog } from '@/parts/overlays'
import { ProblemLine } from '@/parts/Shown'
import { StateChip } from '@/parts/StateMark'
import { Time } from '@/parts/Time'
import { toast } from '@/parts/toasts'
import type { ScheduleStatus } from './queries'
import styles from './SchedulePage.module.css'

type Outcome = Schemas['TickOutcome']

export function TickDialog({
  schedule,
  onClose,
}: {
  schedule: ScheduleStatus
  onClose: () => void
}) {
  const client = useQueryClient()
  const may = useMay('operator')
  const field = useId()
  const [at, setAt] = useState('')
  const tick = useMutation({
    mutationFn: (dry: boolean) =>
      call(
        api.POST('/api/v1/schedules/{name}/tick', {
          params: { path: { name: schedule.name } },
          body: { dry_run: dry, ...(at.trim() ? { at: at.trim() } : {}) },
        }),
      ),
    onSuccess: (outcome) => {
      if (outcome.dry_run) return
      toast(`${schedule.name} ticked: ${outcome.state}, ${outcome.run_count} runs.`)
      void client.invalidateQueries({ queryKey: ['schedules'] })
    },
  })
  return (
    <Dialog
      open
      onClose={onClose}
      title={`Tick ${schedule.name}`}
      description="Handles one tick now, whether the schedule runs or not, also one that failed or was skipped."
    >
      <div className="field">
        <label htmlFor={field}>Time of the tick, in {schedule.definition?.timezone ?? 'UTC'}</label>
        <input
          id={field}
          value={at}
          placeholder="2020-05-02T06:00; empty: its last tick"
          onChange={(event) => setAt(event.target.value)}
        />
      </div>
      <ProblemLine error={tick.error} />
      {tick.data && <Told outcome={tick.data} />}
      <div className="row">
        <Button disabled={tick.isPending} onClick={() => tick.mutate(true)}>
          What would it do?
        </Button>
        {may && (
          <Button kind="primary" disabled={tick.isPending} onClick={() => tick.mutate(false)}>
            Tick now
          </Button>
        )}
      </div>
    </Dialog>
  )
}

function Told({ outcome }: { outcome: Outcome }) {
  return (
    <div className="stack" role="status">
      <div>
        <StateChip state={outcome.state} /> {outcome.dry_run ? 'would be' : 'is'} the tick of{' '}
        <Time at={outcome.tick_at} />
        {outcome.reason && <div className="soft break">{outcome.reason}</div>}
      </div>
      {outcome.handled && (
        <div className="soft">
          It was handled already: <StateChip state={outcome.handled.state} />
        </div>
      )}
      {outcome.error && <pre className={styles.trace}>{outcome.error}</pre>}
      {outcome.dry_run ? <Planned outcome={outcome} /> : <Made ids={outcome.run_ids} />}
    </div>
  )
}

function Made({ ids }: { ids: readonly string[] }) {
  if (!ids.length) return null
  return (
    <div>
      Runs:{' '}
      {ids.slice(0, 20).map((id) => (
        <span key={id}>
          <RunLink id={id} />{' '}
        </span>
      ))}
    </div>
  )
}

function Planned({ outcome }: { outcome: Outcome }) {
  if (!outcome.runs.length) return null
  const more = outcome.run_count - outcome.runs.length
  return (
    <div className="scroll-x">
      <table>
        <thead>
          <tr>
            <th>Partition</th>
            <th>Tags</th>
            <th>Waits for</th>
          </tr>
        </thead>
        <tbody>
          {outcome.runs.map((run) => (
            <tr key={run.run_key}>
              <td className="break">{run.partition ?? run.run_key}</td>
              <td className="break small">
                {Object.entries(run.tags)
                  .map(([key, value]) => `${key}: ${value}`)
                  .join(', ')}
              </td>
              <td>{run.waits_for ? <RunLink id={run.waits_for} /> : '–'}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {more > 0 && <div className="soft small">and {more.toLocaleString()} more</div>}
    </div>
  )
}
