/** Links to things by their names; what is not there is a dash. */
import { Link } from '@tanstack/react-router'

export function RunLink({ id, words }: { id: string | null | undefined; words?: string }) {
  if (!id) return <Nothing />
  return (
    <Link to="/runs/$runId" params={{ runId: id }}>
      {words ?? id}
    </Link>
  )
}

export function BackfillLink({ id, words }: { id: string | null | undefined; words?: string }) {
  if (!id) return <Nothing />
  return (
    <Link to="/backfills/$backfillId" params={{ backfillId: id }}>
      {words ?? id}
    </Link>
  )
}

/** A partition set. */
export function SetLink({ name }: { name: string | null | undefined }) {
  if (!name) return <Nothing />
  return (
    <Link to="/partition-sets/$set" params={{ set: name }} className="break">
      {name}
    </Link>
  )
}

export function PipelineLink({ name }: { name: string }) {
  return (
    <Link to="/pipelines/$name" params={{ name }} className="break">
      {name}
    </Link>
  )
}

/** A partition, in the Run Matrix of its set. */
export function PartitionLink({ set, partition }: { set: string | null; partition: string }) {
  if (!set) return <span className="break">{partition}</span>
  return (
    <Link
      to="/partition-sets/$set"
      params={{ set }}
      search={{ at: partition }}
      className="break"
      title="Show it in the matrix"
    >
      {partition}
    </Link>
  )
}

export function ScheduleLink({ name }: { name: string }) {
  return (
    <Link to="/schedules/$name" params={{ name }} className="break">
      {name}
    </Link>
  )
}

function Nothing() {
  return <span className="soft">–</span>
}
