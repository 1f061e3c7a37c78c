import { ShieldCheck } from 'lucide-react'
import { useEffect, useRef, useState } from 'react'

import type { Schemas } from '@/api/client'
import { Button } from '@/parts/Button'
import { ProblemLine } from '@/parts/Shown'
import styles from './launch.module.css'
import { validateAll, type Validated } from './queries'
import type { Request } from './request'

/** Partitions whose run could not start, as far as was checked. */
export function PartitionProblems({
  invalid,
  checked,
  problems,
  onPartition,
}: {
  invalid: number
  checked: number
  problems: readonly Schemas['PartitionProblem'][]
  onPartition: (key: string) => void
}) {
  if (!invalid) return null
  return (
    <div className={styles.block} role="alert">
      <div className="error-text">
        {invalid.toLocaleString()} of {checked.toLocaleString()} checked partitions could not run:
      </div>
      <ul className={styles.problems}>
        {problems.map((problem) => (
          <li key={problem.partition}>
            <button
              type="button"
              className="mono break"
              onClick={() => onPartition(problem.partition)}
            >
              {problem.partition}
            </button>
            <div className="small break">{problem.detail}</div>
          </li>
        ))}
      </ul>
    </div>
  )
}

/** Validates the config of every partition, and tells how far that is. */
export function ValidateAll({
  request,
  count,
  onPartition,
}: {
  request: Request
  count: number
  onPartition: (key: string) => void
}) {
  const [found, tell] = useState<Validated | null>(null)
  const [error, fail] = useState<Error | null>(null)
  const going = useRef<AbortController | null>(null)
  const [busy, setBusy] = useState(false)
  useEffect(() => () => going.current?.abort(), [])
  const begin = async () => {
    const control = new AbortController()
    going.current = control
    setBusy(true)
    fail(null)
    try {
      for await (const line of validateAll(request, control.signal)) tell(line)
    } catch (problem) {
      if (!control.signal.aborted) fail(problem as Error)
    } finally {
      if (!control.signal.aborted) setBusy(false)
    }
  }
  if (!count) return null
  return (
    <div className={styles.block}>
      <div className="row spread">
        <span className="small soft" role="status">
          {found
            ? `${found.checked.toLocaleString()} of ${found.of.toLocaleString()} configs checked, ${found.invalid ? `${found.invalid.toLocaleString()} do not fit` : 'all fit'}`
            : 'The first configs were checked.'}
        </span>
        <Button small disabled={busy} onClick={() => void begin()}>
          <ShieldCheck size={14} aria-hidden />
          {busy ? 'Checking…' : 'Check all'}
        </Button>
      </div>
      {found && (
        <div className={styles.meter} aria-hidden>
          <div style={{ width: `${(found.checked / Math.max(1, found.of)) * 100}%` }} />
        </div>
      )}
      {found && (
        <PartitionProblems
          invalid={found.invalid}
          checked={found.checked}
          problems={found.problems}
          onPartition={onPartition}
        />
      )}
      <ProblemLine error={error ?? (found?.error ? new Error(found.error.detail) : null)} />
    </div>
  )
}
