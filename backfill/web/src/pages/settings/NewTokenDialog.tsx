import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Check, Copy } from 'lucide-react'
import { useId, useState, type SyntheticEvent } from 'react'

import { api, call } from '@/api/client'
import { useLogIn } from '@/api/session'
import { Button } from '@/parts/Button'
import { Dialog } from '@/parts/overlays'
import { ProblemLine } from '@/parts/Shown'
import { ROLES, type Role } from '@/states.generated'
import styles from './NewTokenDialog.module.css'

const MEANING: Record<Role, string> = {
  viewer: 'may look at everything',
  operator: 'may launch, steer and cancel',
  admin: 'may also make and revoke tokens',
}

/**
 * Asks for a name and a role, then shows the token, once. The `first` one closes a server that was
 * open to whoever reached it: it is an admin's, and this browser goes on with it.
 */
export function NewTokenDialog({ first, onClose }: { first: boolean; onClose: () => void }) {
  const client = useQueryClient()
  const logIn = useLogIn()
  const fields = { name: useId(), role: useId(), days: useId() }
  const [name, setName] = useState('')
  const [role, setRole] = useState<Role>(first ? 'admin' : 'operator')
  const [days, setDays] = useState('')
  const make = useMutation({
    mutationFn: async () => {
      const made = await call(
        api.POST('/api/v1/tokens', {
          body: { name: name.trim(), role, days: days.trim() ? Number(days) : null },
        }),
      )
      if (first) await logIn.mutateAsync(made.token)
      return made
    },
    onSuccess: () => client.invalidateQueries({ queryKey: ['tokens'] }),
  })
  const submit = (event: SyntheticEvent) => {
    event.preventDefault()
    make.mutate()
  }
  if (make.data) return <Made name={make.data.name} token={make.data.token} onClose={onClose} />
  return (
    <Dialog open onClose={onClose} title="New token">
      <form className="stack" onSubmit={submit}>
        <div className="field">
          <label htmlFor={fields.name}>Name</label>
          <input
            id={fields.name}
            value={name}
            required
            maxLength={200}
            placeholder="nightly-job"
            onChange={(event) => setName(event.target.value)}
          />
        </div>
        <div className="field">
          <label htmlFor={fields.role}>Role</label>
          <select
            id={fields.role}
            value={role}
            disabled={first}
            onChange={(event) => setRole(event.target.value as Role)}
          >
            {ROLES.map((one) => (
              <option key={one} value={one}>
                {one}: {MEANING[one]}
              </option>
            ))}
          </select>
          {first && (
            <span className="small soft">
              The first token is an admin&apos;s: from then on everybody has to log in.
            </span>
          )}
        </div>
        <div className="field">
          <label htmlFor={fields.days}>Days it is valid; empty: until revoked</label>
          <input
            id={fields.days}
            value={days}
            inputMode="numeric"
            pattern="[0-9]*\.?[0-9]*"
            onChange={(event) => setDays(event.target.value)}
          />
        </div>
        <ProblemLine error={make.error} />
        <div className="row">
          <Button kind="primary" type="submit" disabled={make.isPending}>
            Make it
          </Button>
        </div>
      </form>
    </Dialog>
  )
}

function Made({ name, token, onClose }: { name: string; token: string; onClose: () => void }) {
  const [copied, setCopied] = useState(false)
  return (
    <Dialog
      open
      onClose={onClose}
      title={`Token ${name}`}
      description="Keep it now: it is not shown again."
    >
      <code className={styles.token}>{token}</code>
      <div className="row">
        <Button
          kind="primary"
          onClick={() => void navigator.clipboard.writeText(token).then(() => setCopied(true))}
        >
          {copied ? <Check size={15} aria-hidden /> : <Copy size={15} aria-hidden />}
          {copied ? 'Copied' : 'Copy'}
        </Button>
        <Button onClick={onClose}>Done</Button>
      </div>
    </Dialog>
  )
}
