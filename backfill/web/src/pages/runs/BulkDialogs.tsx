/** Many runs at once: all that fit what is shown. */
import { useState } from 'react'

import { api, call } from '@/api/client'
import { AskDialog } from '@/parts/AskDialog'
import { toast } from '@/parts/toasts'
import { RUN_FINAL, RUN_STATES, type RunState } from '@/states.generated'
import { AgainFields, bodyOf as howOf, isReady, type Again } from './again'
import { bodyOf, queryOf, type RunFilter } from './filter'

const PER_CALL = 1_000

/** Cancel every unfinished run that fits, also beyond what one call takes. */
export function BulkCancelDialog({ filter, onClose }: { filter: RunFilter; onClose: () => void }) {
  const state = narrowed(filter, (one) => !RUN_FINAL.has(one))
  const cancel = async (note: string | null) => {
    let canceled = 0
    let told = 0
    for (let more = true; more;) {
      const body = { ...bodyOf(filter), ...(state && { state }), note, limit: PER_CALL }
      const done = await call(api.POST('/api/v1/runs/cancel', { body }))
      canceled += done.canceled
      told += done.told
      more = done.more && done.canceled > 0
    }
    toast(`${canceled.toLocaleString()} runs canceled, ${told.toLocaleString()} running ones told.`)
  }
  return (
    <AskDialog
      title="Cancel runs"
      description="Every unfinished run that fits the filters is canceled, on this page and on all others. Those that run are told to stop."
      action="Cancel them"
      danger
      withNote
      ready={state?.length !== 0}
      act={cancel}
      onClose={onClose}
    >
      <Narrowing filter={filter} />
      {state?.length === 0 && (
        <p className="soft">What is in these states has ended: there is nothing to cancel.</p>
      )}
    </AskDialog>
  )
}

/** Re-execute what failed or was canceled among what fits, each in a new run. */
export function BulkAgainDialog({ filter, onClose }: { filter: RunFilter; onClose: () => void }) {
  const [again, setAgain] = useState<Again>({ mode: 'from_failure', steps: undefined })
  const state = narrowed(filter, (one) => RUN_FINAL.has(one))
  const act = async (note: string | null) => {
    let made = 0
    for (let more = true; more;) {
      const body = {
        ...bodyOf(filter),
        ...(state && { state }),
        ...howOf(again),
        note,
        limit: PER_CALL,
      }
      const done = await call(api.POST('/api/v1/runs/re-execute', { body }))
      made += done.made
      more = done.more && done.made > 0
    }
    toast(`${made.toLocaleString()} runs were made.`)
  }
  return (
    <AskDialog
      title="Re-execute runs"
      description={
        state
          ? 'Every run that ended and fits the filters gets a new run, once.'
          : 'Every failed or canceled run that fits the filters gets a new run, once.'
      }
      action="Re-execute them"
      withNote
      ready={isReady(again) && state?.length !== 0}
      act={act}
      onClose={onClose}
    >
      <Narrowing filter={filter} />
      {state?.length === 0 && <p className="soft">What is in these states has not ended yet.</p>}
      <AgainFields pipeline={filter.pipeline} again={again} onChange={setAgain} />
    </AskDialog>
  )
}

/** What the filters are, so that nobody cancels more than they see. */
function Narrowing({ filter }: { filter: RunFilter }) {
  const parts = Object.entries(queryOf(filter))
  return (
    <ul className="plain-list">
      {parts.map(([name, value]) => (
        <li key={name} className="break">
          <span className="soft">{name.replace(/_/g, ' ')}:</span> {[value].flat().join(', ')}
        </li>
      ))}
    </ul>
  )
}

/** The chosen states of those that a verb takes; undefined when none was chosen. */
function narrowed(filter: RunFilter, takes: (state: RunState) => boolean): RunState[] | undefined {
  return filter.state && RUN_STATES.filter((one) => takes(one) && filter.state!.includes(one))
}
