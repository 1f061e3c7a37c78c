/** Blocking partitions, so that nothing runs them. */
import { Ban, ChevronDown } from 'lucide-react'
import { useId, useState } from 'react'

import { api, call } from '@/api/client'
import { useMay } from '@/api/session'
import { AskDialog } from '@/parts/AskDialog'
import { Button } from '@/parts/Button'
import { Menu, MenuItem } from '@/parts/overlays'
import { toast } from '@/parts/toasts'

/** Block or unblock what is chosen. */
export function BlockButton({ set, selection }: { set: string; selection: string | undefined }) {
  const may = useMay('operator')
  const [asked, ask] = useState<'block' | 'unblock' | null>(null)
  if (!selection) return null
  return (
    <>
      <Menu
        label="Blocking"
        trigger={
          <Button disabled={!may} title={may ? undefined : 'This needs the role operator.'}>
            <Ban size={15} aria-hidden />
            Block <ChevronDown size={14} aria-hidden />
          </Button>
        }
      >
        <MenuItem danger onSelect={() => ask('block')}>
          Block these partitions
        </MenuItem>
        <MenuItem onSelect={() => ask('unblock')}>Unblock them</MenuItem>
      </Menu>
      {asked === 'block' && (
        <BlockDialog set={set} selection={selection} onClose={() => ask(null)} />
      )}
      {asked === 'unblock' && (
        <AskDialog
          title="Unblock the chosen partitions?"
          description={selection}
          action="Unblock"
          withNote
          act={async (note) => {
            const { count } = await call(
              api.POST('/api/v1/partition-sets/{name}/unblock', {
                params: { path: { name: set } },
                body: { selection, note },
              }),
            )
            toast(`${partitions(count)} may run again.`)
          }}
          onClose={() => ask(null)}
        />
      )}
    </>
  )
}

export function BlockDialog({
  set,
  selection,
  onClose,
}: {
  set: string
  selection: string
  onClose: () => void
}) {
  const id = useId()
  const [reason, setReason] = useState('')
  const act = async () => {
    const made = await call(
      api.POST('/api/v1/partition-sets/{name}/block', {
        params: { path: { name: set } },
        body: { selection, reason: reason.trim() },
      }),
    )
    toast(`Nothing runs ${partitions(made.count)} any more.`)
  }
  return (
    <AskDialog
      title="Block these partitions?"
      description={`${selection}: nothing runs them until they are unblocked. What runs now finishes.`}
      action="Block"
      danger
      ready={reason.trim() !== ''}
      act={act}
      onClose={onClose}
    >
      <div className="field">
        <label htmlFor={id}>Reason</label>
        <input
          id={id}
          type="text"
          required
          value={reason}
          placeholder="the source is being repaired"
          onChange={(event) => setReason(event.target.value)}
        />
      </div>
    </AskDialog>
  )
}

function partitions(count: number): string {
  return count === 1 ? '1 partition' : `${count.toLocaleString()} partitions`
}
