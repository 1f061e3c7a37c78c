/** Asks before something is done, perhaps with a note; stays open until the server agreed. */
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useId, useState, type ReactNode } from 'react'

import { Button } from './Button'
import { Dialog } from './overlays'
import { ProblemLine } from './Shown'

export function AskDialog({
  title,
  description,
  action,
  danger = false,
  withNote = false,
  ready = true,
  act,
  onClose,
  children,
}: {
  title: string
  description: string
  /** The word on the button. */
  action: string
  danger?: boolean
  /** Whether it asks why; the note is kept with the event. */
  withNote?: boolean
  /** Whether what `children` ask for is given. */
  ready?: boolean
  act: (note: string | null) => Promise<unknown>
  onClose: () => void
  children?: ReactNode
}) {
  const id = useId()
  const client = useQueryClient()
  const [note, setNote] = useState('')
  const doing = useMutation({
    mutationFn: () => act(note.trim() || null),
    onSuccess: async () => {
      onClose()
      await client.invalidateQueries()
    },
  })
  return (
    <Dialog open onClose={onClose} title={title} description={description}>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault()
          doing.mutate()
        }}
      >
        {children}
        {withNote && (
          <div className="field">
            <label htmlFor={id}>Note</label>
            <input
              id={id}
              type="text"
              maxLength={10_000}
              placeholder="Why? Kept with the event."
              value={note}
              onChange={(event) => setNote(event.target.value)}
            />
          </div>
        )}
        <ProblemLine error={doing.error} />
        <div className="row end">
          <Button onClick={onClose}>Leave it</Button>
          <Button
            type="submit"
            kind={danger ? 'danger' : 'primary'}
            disabled={!ready || doing.isPending}
          >
            {doing.isPending ? 'Asking the server…' : action}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
