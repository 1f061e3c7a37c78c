/** What limits the fleet: pools and tags, changed while everything runs. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState, type SyntheticEvent } from 'react'

import { api, call, type Schemas } from '@/api/client'
import { useMay } from '@/api/session'
import { Button } from '@/parts/Button'
import { ProblemLine } from '@/parts/Shown'
import styles from './LimitsPanel.module.css'
import { poolsQuery, tagLimitsQuery } from './queries'
import { SlotBar } from './SlotBar'

type Pool = Schemas['Pool']
type TagLimit = Schemas['TagLimit']

/** Pools; nothing while none was ever named. */
export function PoolsPanel() {
  const pools = useQuery(poolsQuery)
  if (!pools.data?.items.length) return null
  return (
    <section className="panel" aria-labelledby="pools">
      <header>
        <h2 id="pools">Pools</h2>
      </header>
      <div className="scroll-x">
        <table>
          <thead>
            <tr>
              <th>Pool</th>
              <th>Taken</th>
              <th>Slots</th>
            </tr>
          </thead>
          <tbody>
            {pools.data.items.map((pool) => (
              <tr key={pool.name}>
                <td className="break">{pool.name}</td>
                <td>
                  <SlotBar busy={pool.used} slots={pool.slots} />
                </td>
                <td>
                  <PoolSlots pool={pool} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  )
}

/** Limits of tags; nothing while there is none. */
export function TagLimitsPanel() {
  const limits = useQuery(tagLimitsQuery)
  if (!limits.data?.items.length) return null
  return (
    <section className="panel" aria-labelledby="tag-limits">
      <header>
        <h2 id="tag-limits">Limits of tags</h2>
      </header>
      <div className="scroll-x">
        <table>
          <thead>
            <tr>
              <th>Tag</th>
              <th>Active runs</th>
              <th>At most</th>
            </tr>
          </thead>
          <tbody>
            {limits.data.items.map((limit) => (
              <tr key={JSON.stringify([limit.key, limit.value])}>
                <td className="break">
                  {limit.key}: {limit.value ?? <span className="soft">each value</span>}
                </td>
                <td>{limit.active}</td>
                <td>
                  <TagLimitOf limit={limit} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  )
}

function PoolSlots({ pool }: { pool: Pool }) {
  const client = useQueryClient()
  const change = useMutation({
    mutationFn: (slots: number | null) =>
      call(
        api.POST('/api/v1/pools/{name}', {
          params: { path: { name: pool.name } },
          body: { slots },
        }),
      ),
    onSuccess: () => client.invalidateQueries({ queryKey: poolsQuery.queryKey }),
  })
  return (
    <Changeable
      name={`Slots of ${pool.name}`}
      value={pool.slots}
      note={noteOf(pool)}
      busy={change.isPending}
      error={change.error}
      onChange={(slots) => change.mutate(slots)}
    />
  )
}

function TagLimitOf({ limit }: { limit: TagLimit }) {
  const client = useQueryClient()
  const change = useMutation({
    mutationFn: (most: number | null) =>
      call(
        api.POST('/api/v1/tag-limits', {
          body: { key: limit.key, value: limit.value, max_active_runs: most },
        }),
      ),
    onSuccess: () => client.invalidateQueries({ queryKey: tagLimitsQuery.queryKey }),
  })
  return (
    <Changeable
      name={`Active runs of ${limit.key} ${limit.value ?? ''}`}
      value={limit.max_active_runs}
      busy={change.isPending}
      error={change.error}
      onChange={(most) => change.mutate(most)}
    />
  )
}

/** A number that operators change; empty takes it back. */
function Changeable({
  name,
  value,
  note,
  busy,
  error,
  onChange,
}: {
  name: string
  value: number
  note?: string | undefined
  busy: boolean
  error: Error | null
  onChange: (value: number | null) => void
}) {
  const may = useMay('operator')
  const [typed, setTyped] = useState<string | null>(null)
  const submit = (event: SyntheticEvent) => {
    event.preventDefault()
    if (typed === null) return
    onChange(typed.trim() ? Number(typed) : null)
    setTyped(null)
  }
  if (!may) {
    return (
      <>
        {value} {note && <span className="soft">{note}</span>}
      </>
    )
  }
  return (
    <form className="row" onSubmit={submit}>
      <input
        className={styles.number}
        aria-label={name}
        inputMode="numeric"
        pattern="[0-9]{0,9}"
        value={typed ?? value}
        onChange={(event) => setTyped(event.target.value)}
      />
      {typed !== null && (
        <>
          <Button small kind="primary" type="submit" disabled={busy}>
            Change
          </Button>
          <Button small onClick={() => setTyped(null)}>
            Leave it
          </Button>
        </>
      )}
      {note && <span className="soft small">{note}</span>}
      <ProblemLine error={error} />
    </form>
  )
}

function noteOf(pool: Pool): string | undefined {
  if (pool.slots === 0) return 'closed'
  return pool.configured ? undefined : 'the default'
}
