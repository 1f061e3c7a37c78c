import { useState } from 'react'

import { api, call, type Schemas } from '@/api/client'
import { LinesField, NumberField, SelectField } from '@/pages/launch/fields'
import { pairsOf, tagsOf } from '@/pages/launch/request'
import { windowText } from '@/pages/launch/windows'
import { AskDialog } from '@/parts/AskDialog'
import { toast } from '@/parts/toasts'
import { changesOf } from './edits'
import { pathOf, type Backfill } from './queries'
import styles from './backfills.module.css'

type Edit = Schemas['BackfillEdit']

/** Changes fields of a backfill while it runs; only what differs is sent. */
export function EditDialog({ backfill, onClose }: { backfill: Backfill; onClose: () => void }) {
  const before = editOf(backfill)
  const [edit, setEdit] = useState<Edit>(before)
  const change = (changed: Edit) => setEdit({ ...edit, ...changed })
  const breaker = edit.breaker ?? {}
  const changeBreaker = (changed: Schemas['Breaker']) => {
    const next = { ...breaker, ...changed }
    change({ breaker: Object.values(next).some((one) => typeof one === 'number') ? next : null })
  }
  const changes = changesOf(before, edit)
  const canReorder = backfill.ordering === 'oldest' || backfill.ordering === 'newest'
  return (
    <AskDialog
      title={`Edit backfill ${backfill.id}`}
      description="Limits, priority and order act on queued runs as well; what runs goes on."
      action="Save"
      ready={Object.keys(changes).length > 0}
      act={async () => {
        const done = await call(
          api.PATCH('/api/v1/backfills/{backfill_id}', { ...pathOf(backfill.id), body: changes }),
        )
        toast(`Changed: ${done.edited.map((one) => one.field.replace(/_/g, ' ')).join(', ')}.`)
      }}
      onClose={onClose}
    >
      <div className={styles.fields}>
        <NumberField
          label="At a time"
          placeholder="no limit"
          least={1}
          value={edit.max_active_runs ?? undefined}
          onChange={(value) => change({ max_active_runs: value ?? null })}
        />
        <NumberField
          label="Priority"
          placeholder="0"
          least={-1000}
          most={1000}
          value={edit.priority ?? undefined}
          onChange={(value) => change({ priority: value ?? 0 })}
        />
        <NumberField
          label="Tries after failure"
          placeholder="0"
          most={1000}
          value={edit.max_failures ?? undefined}
          onChange={(value) => change({ max_failures: value ?? 0 })}
        />
        {canReorder && (
          <SelectField
            label="Order"
            value={edit.ordering ?? 'oldest'}
            options={[
              ['oldest', 'oldest first'],
              ['newest', 'newest first'],
            ]}
            onChange={(ordering) => change({ ordering })}
          />
        )}
      </div>
      <fieldset className="plain-fields">
        <legend>Breaker: pause after</legend>
        <div className={styles.fields}>
          <NumberField
            label="Failures in a row"
            least={1}
            value={breaker.in_row ?? undefined}
            onChange={(value) => changeBreaker({ in_row: value ?? null })}
          />
          <NumberField
            label="Failures in all"
            least={1}
            value={breaker.in_all ?? undefined}
            onChange={(value) => changeBreaker({ in_all: value ?? null })}
          />
          <NumberField
            label="Percent failed"
            least={1}
            most={100}
            value={breaker.percent ?? undefined}
            onChange={(value) =>
              changeBreaker({ percent: value ?? null, last: value ? (breaker.last ?? 20) : null })
            }
          />
          <NumberField
            label="… of the last"
            least={1}
            most={1000}
            value={breaker.last ?? undefined}
            onChange={(value) => changeBreaker({ last: value ?? null })}
          />
        </div>
      </fieldset>
      <div className={styles.fields}>
        <NumberField
          label="Seconds for one run"
          placeholder="no limit"
          least={1}
          value={edit.run_timeout_seconds ?? undefined}
          onChange={(value) => change({ run_timeout_seconds: value ?? null })}
        />
        <NumberField
          label="Seconds for the rest"
          placeholder="no limit"
          least={1}
          value={edit.timeout_seconds ?? undefined}
          onChange={(value) => change({ timeout_seconds: value ?? null })}
        />
      </div>
      <LinesField
        label="Only within these hours"
        placeholder="mon-fri 20:00-06:00 Europe/Zurich"
        value={edit.windows?.map(String)}
        onChange={(windows) => change({ windows: windows ?? null })}
      />
      <LinesField
        label="Tags"
        placeholder="team=finance"
        value={pairsOf(edit.tags ?? {})}
        onChange={(pairs) => change({ tags: tagsOf(pairs ?? []) })}
      />
      <div className="field">
        <label htmlFor="edit-note">Note</label>
        <input
          id="edit-note"
          type="text"
          value={edit.note ?? ''}
          onChange={(event) => change({ note: event.target.value || null })}
        />
      </div>
    </AskDialog>
  )
}

/** The fields as they are now; hours as text, in the form in which they are typed. */
function editOf(backfill: Backfill): Edit {
  const { ordering } = backfill
  return {
    note: backfill.note,
    tags: backfill.tags,
    max_active_runs: backfill.max_active_runs,
    priority: backfill.priority,
    max_failures: backfill.max_failures,
    windows: backfill.windows.length ? backfill.windows.map(windowText) : null,
    breaker: backfill.breaker,
    run_timeout_seconds: backfill.run_timeout_seconds,
    timeout_seconds: backfill.timeout_seconds,
    ...(ordering === 'oldest' || ordering === 'newest' ? { ordering } : {}),
  }
}
