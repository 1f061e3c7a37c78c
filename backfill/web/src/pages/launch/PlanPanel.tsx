import { useMutation, useQueryClient, type UseQueryResult } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { CircleArrowRight, CircleMinus, CircleX, Clock3, Rocket } from 'lucide-react'
import { useRef } from 'react'

import { ApiProblem, type Schemas } from '@/api/client'
import type { Backfill } from '@/pages/backfills/queries'
import { Button } from '@/parts/Button'
import { ProblemLine } from '@/parts/Shown'
import { roughly } from '@/parts/times'
import { Time } from '@/parts/Time'
import { toast } from '@/parts/toasts'
import { ConfigPreview } from './ConfigPreview'
import styles from './launch.module.css'
import { PartitionProblems, ValidateAll } from './Validation'
import { clone, submit } from './queries'
import type { Request } from './request'

type Plan = Schemas['Plan']

const ACTIONS = {
  run: [CircleArrowRight, styles.run],
  wait: [Clock3, styles.wait],
  skip: [CircleMinus, styles.skip],
  refuse: [CircleX, styles.wait],
} as const

/** What submitting would do now, and the button that does it. */
export function PlanPanel({
  from,
  request,
  plan,
  isSettled,
  isBroken,
  partition,
  onPartition,
}: {
  /** The backfill that is cloned. */
  from: Backfill | undefined
  /** Null while something that it needs is missing. */
  request: Request | null
  plan: UseQueryResult<Plan>
  /** What is planned is what the form shows. */
  isSettled: boolean
  /** The config cannot be read. */
  isBroken: boolean
  partition: string | undefined
  onPartition: (key: string | undefined) => void
}) {
  const shown = request && !plan.error ? plan.data : undefined
  const isCurrent = isSettled && !plan.isFetching && !plan.isPlaceholderData
  return (
    <aside className={styles.plan} aria-label="Plan">
      {shown && request ? (
        <div className={isCurrent ? 'stack' : `stack ${styles.old}`} aria-busy={!isCurrent}>
          <Totals plan={shown} />
          <Estimate estimate={shown.estimate} />
          <Groups plan={shown} />
          <PartitionProblems
            invalid={shown.invalid}
            checked={shown.checked}
            problems={shown.problems}
            onPartition={onPartition}
          />
          <ValidateAll
            key={JSON.stringify(request)}
            request={request}
            count={shown.count}
            onPartition={onPartition}
          />
          <ConfigPreview plan={shown} partition={partition} onPartition={onPartition} />
        </div>
      ) : (
        <Waiting request={request} isBroken={isBroken} plan={plan} />
      )}
      <Submit from={from} request={request} plan={shown} isCurrent={isCurrent} />
    </aside>
  )
}

function Waiting({
  request,
  isBroken,
  plan,
}: {
  request: Request | null
  isBroken: boolean
  plan: UseQueryResult<Plan>
}) {
  if (isBroken) return <p className="soft">The config override cannot be read as YAML.</p>
  if (!request) {
    return (
      <p className="soft">
        Choose a set and partitions of it: what would run, and why, shows here.
      </p>
    )
  }
  const isShownThere = plan.error instanceof ApiProblem && plan.error.code === 'selection_invalid'
  if (isShownThere) return <p className="soft">The selection cannot be evaluated.</p>
  if (plan.error) return <ProblemLine error={plan.error} />
  return <p className="soft">Planning…</p>
}

function Totals({ plan }: { plan: Plan }) {
  return (
    <div aria-live="polite">
      <div className={styles.total}>
        <strong>{plan.count.toLocaleString()}</strong>
        <span>
          {plan.count === 1 ? 'partition runs' : 'partitions run'}
          <span className="soft"> of {plan.selected.toLocaleString()} selected</span>
        </span>
      </div>
      <div className="small soft mono break">
        {plan.first === plan.last ? plan.first : `${plan.first} … ${plan.last}`}
      </div>
    </div>
  )
}

function Estimate({ estimate }: { estimate: Plan['estimate'] }) {
  const { seconds, low_seconds: low, high_seconds: high } = estimate
  if (seconds === null) {
    return <div className="small soft">No estimate: {estimate.unknown ?? 'not known yet'}</div>
  }
  const hasRange =
    typeof low === 'number' && typeof high === 'number' && roughly(low) !== roughly(high)
  return (
    <div className="small">
      <strong>≈ {roughly(seconds)}</strong>
      {hasRange && (
        <span className="soft">
          {' '}
          ({roughly(low)} to {roughly(high)})
        </span>
      )}
      {estimate.finish_at && (
        <>
          , done <Time at={estimate.finish_at} />
        </>
      )}
      <div className="soft">
        {estimate.concurrency ?? 0} at a time
        {estimate.run_seconds !== null && `, ${roughlyRun(estimate.run_seconds)} a run`}, by{' '}
        {estimate.based_on.toLocaleString()} past runs
      </div>
    </div>
  )
}

function roughlyRun(seconds: number): string {
  return seconds < 10 ? `${seconds.toFixed(seconds < 1 ? 2 : 1)} s` : roughly(seconds)
}

function Groups({ plan }: { plan: Plan }) {
  return (
    <ul className={styles.groups} aria-label="What happens with the selected">
      {plan.groups.map((group) => {
        const [Icon, look] = ACTIONS[group.action]
        return (
          <li key={group.name}>
            <Icon size={15} className={look} aria-label={group.action} />
            <span className={styles.many}>{group.count.toLocaleString()}</span>
            <span className="break">
              {group.action === 'skip' && 'left out: '}
              {group.sentence}
            </span>
            <span className={`small soft mono break ${styles.span}`}>
              {group.first === group.last ? group.first : `${group.first} … ${group.last}`}
            </span>
          </li>
        )
      })}
    </ul>
  )
}

function Submit({
  from,
  request,
  plan,
  isCurrent,
}: {
  from: Backfill | undefined
  request: Request | null
  plan: Plan | undefined
  isCurrent: boolean
}) {
  const navigate = useNavigate()
  const client = useQueryClient()
  const key = useRef({ of: '', key: '' })
  const submitting = useMutation({
    mutationFn: () => {
      const of = JSON.stringify([request, plan!.counts])
      if (key.current.of !== of) key.current = { of, key: crypto.randomUUID() }
      return from
        ? clone(from, request!, plan!.counts, key.current.key)
        : submit(request!, plan!.counts, key.current.key)
    },
    onSuccess: async (made) => {
      toast(`Backfill ${made.id} was submitted: ${made.total.toLocaleString()} partitions.`)
      for (const { group, planned, now } of made.changes) {
        toast(`Since the plan, ${group} went from ${planned} to ${now}.`)
      }
      void client.invalidateQueries({ queryKey: ['backfills'] })
      await navigate({
        to: '/partition-sets/$set',
        params: { set: made.partition_set },
        search: { backfill: made.id },
      })
    },
  })
  const count = plan?.count ?? 0
  return (
    <div className={styles.submit}>
      <ProblemLine error={submitting.error} />
      <Button
        kind="primary"
        disabled={!plan || count === 0 || !isCurrent || submitting.isPending}
        onClick={() => submitting.mutate()}
      >
        <Rocket size={16} aria-hidden />
        {submitting.isPending
          ? 'Submitting…'
          : `Submit ${count.toLocaleString()} ${count === 1 ? 'run' : 'runs'}`}
      </Button>
    </div>
  )
}
