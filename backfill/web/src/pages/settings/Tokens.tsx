/** Tokens: made, shown once, revoked. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'

import { api, call, type Schemas } from '@/api/client'
import { useMay } from '@/api/session'
import { Button } from '@/parts/Button'
import { Dialog } from '@/parts/overlays'
import { Empty, Loaded, ProblemLine } from '@/parts/Shown'
import { StateMark } from '@/parts/StateMark'
import { Time } from '@/parts/Time'
import { NewTokenDialog } from './NewTokenDialog'
import { tokensQuery } from './queries'

type Token = Schemas['Token']

export function Tokens() {
  const may = useMay('admin')
  const tokens = useQuery({ ...tokensQuery, enabled: may })
  const [making, setMaking] = useState(false)
  const [first, setFirst] = useState(false)
  const [revoking, setRevoking] = useState<Token | null>(null)
  if (!may) return <Empty title="Not allowed">Only admins see tokens.</Empty>
  return (
    <div className="stack">
      <div className="row">
        <Button
          kind="primary"
          disabled={!tokens.data}
          onClick={() => {
            setFirst(tokens.data?.items.length === 0) // stays so when the list grows
            setMaking(true)
          }}
        >
          New token…
        </Button>
      </div>
      <Loaded query={tokens}>
        {({ items }) =>
          items.length ? (
            <TokensTable tokens={items} onRevoke={setRevoking} />
          ) : (
            <Empty title="No tokens">
              While there is none, whoever reaches this server may do everything. The first one, of
              an admin, closes it.
            </Empty>
          )
        }
      </Loaded>
      {making && <NewTokenDialog first={first} onClose={() => setMaking(false)} />}
      {revoking && <RevokeDialog token={revoking} onClose={() => setRevoking(null)} />}
    </div>
  )
}

function TokensTable({
  tokens,
  onRevoke,
}: {
  tokens: readonly Token[]
  onRevoke: (token: Token) => void
}) {
  return (
    <div className="panel scroll-x">
      <table>
        <thead>
          <tr>
            <th>Name</th>
            <th>Role</th>
            <th>Stands</th>
            <th>Made</th>
            <th>Last used</th>
            <th>
              <span className="visually-hidden">Revoke</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {tokens.map((token) => (
            <tr key={token.name}>
              <td className="break">{token.name}</td>
              <td>{token.role}</td>
              <td>
                <Standing token={token} />
              </td>
              <td>
                <Time at={token.created_at} relative />
                {token.created_by && <div className="soft small">by {token.created_by}</div>}
              </td>
              <td>
                <Time at={token.used_at} relative />
              </td>
              <td>
                {token.valid && (
                  <Button
                    small
                    kind="danger"
                    onClick={() => onRevoke(token)}
                    aria-label={`Revoke ${token.name}`}
                  >
                    Revoke…
                  </Button>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function Standing({ token }: { token: Token }) {
  if (token.valid) {
    return (
      <>
        <StateMark state="succeeded" /> valid
        {token.expires_at && (
          <div className="soft small">
            until <Time at={token.expires_at} />
          </div>
        )}
      </>
    )
  }
  return (
    <>
      <StateMark state="canceled" /> {token.revoked_at ? 'revoked' : 'expired'}
      <div className="soft small">
        <Time at={token.revoked_at ?? token.expires_at} relative />
      </div>
    </>
  )
}

function RevokeDialog({ token, onClose }: { token: Token; onClose: () => void }) {
  const client = useQueryClient()
  const revoke = useMutation({
    mutationFn: () =>
      call(api.POST('/api/v1/tokens/{name}/revoke', { params: { path: { name: token.name } } })),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ['tokens'] })
      onClose()
    },
  })
  return (
    <Dialog
      open
      onClose={onClose}
      title={`Revoke ${token.name}?`}
      description="The token and every session made of it stop working at once. This cannot be undone."
    >
      <ProblemLine error={revoke.error} />
      <div className="row">
        <Button kind="danger" disabled={revoke.isPending} onClick={() => revoke.mutate()}>
          Revoke
        </Button>
        <Button onClick={onClose}>Keep it</Button>
      </div>
    </Dialog>
  )
}
