/** Why a run or a backfill stands where it stands, as the server says it. */
import { queryOptions, useQuery } from '@tanstack/react-query'
import { CircleHelp } from 'lucide-react'
import { useState, type ReactNode } from 'react'

import { api, call, type Schemas } from '@/api/client'
import { Tooltip } from './overlays'
import styles from './Why.module.css'

type Kind = Schemas['Why']['kind']

/** The reasons of a run or a backfill; asked again when it moves. */
export function whyQuery(kind: Kind, id: string) {
  return queryOptions({
    queryKey: ['why', kind, id],
    queryFn: ({ signal }) => {
      if (kind === 'run') {
        const path = { run_id: Number(id) }
        return call(api.GET('/api/v1/runs/{run_id}/why', { params: { path }, signal }))
      }
      const path = { backfill_id: Number(id) }
      return call(api.GET('/api/v1/backfills/{backfill_id}/why', { params: { path }, signal }))
    },
    staleTime: 3_000,
    meta: {
      live: (moves) => (kind === 'run' ? moves.ofRun(id) : moves.ofBackfill(id)),
    },
  })
}

/** A sign that says on hover or focus why something stands where it stands. */
export function WhyHint({ kind, id }: { kind: Kind; id: string }) {
  const [wanted, want] = useState(false)
  const why = useQuery({ ...whyQuery(kind, id), enabled: wanted })
  return (
    <Tooltip text={why.data ? <Reasons why={why.data} /> : (why.error?.message ?? 'Asking why…')}>
      <button
        type="button"
        className={styles.hint}
        aria-label={`Why is ${kind} ${id} there?`}
        onPointerEnter={() => want(true)}
        onFocus={() => want(true)}
        onClick={(event) => event.preventDefault()}
      >
        <CircleHelp size={14} aria-hidden />
      </button>
    </Tooltip>
  )
}

/** The reasons in full, for a page of what is not running. */
export function WhyPanel({ kind, id }: { kind: Kind; id: string }) {
  const why = useQuery({ ...whyQuery(kind, id), refetchInterval: 10_000 })
  if (!why.data) return null
  return (
    <div className={styles.panel} role="note" aria-label="Why">
      <CircleHelp size={16} aria-hidden />
      <Reasons why={why.data} />
    </div>
  )
}

function Reasons({ why }: { why: Schemas['Why'] }): ReactNode {
  return (
    <div className={styles.reasons}>
      <span>{why.sentence}</span>
      {why.also.map((reason, n) => (
        <span key={n} className={styles.also}>
          {reason.sentence}
        </span>
      ))}
    </div>
  )
}
