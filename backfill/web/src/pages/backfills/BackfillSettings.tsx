import { useQuery } from '@tanstack/react-query'

import { windowText } from '@/pages/launch/windows'
import { Facts } from '@/parts/Facts'
import { BackfillLink } from '@/parts/links'
import { ProblemLine } from '@/parts/Shown'
import { TagList } from '@/parts/TagList'
import { Time } from '@/parts/Time'
import { duration } from '@/parts/times'
import { YamlView } from '@/parts/YamlView'
import { driftQuery, type Backfill } from './queries'
import styles from './backfills.module.css'

/** What was asked for, and how the set has changed since. */
export function BackfillSettings({ backfill }: { backfill: Backfill }) {
  return (
    <div className={styles.columns}>
      <section className="panel" aria-labelledby="asked">
        <header>
          <h2 id="asked">What was asked for</h2>
        </header>
        <div className={styles.inset}>
          <Facts
            facts={[
              ['Partition set', backfill.partition_set],
              ['Pipeline', backfill.pipeline],
              ['Selection', <code key="selection">{backfill.selection}</code>],
              ['Reprocess', backfill.reprocess],
              ['Left out', leftOut(backfill)],
              ['Steps', backfill.steps?.join(', ') ?? 'all'],
              ['A few of them', narrowedText(backfill.narrowed)],
              ['Order', orderText(backfill)],
              ['At a time', backfill.max_active_runs?.toLocaleString() ?? 'no limit of its own'],
              ['Partitions per run', togetherText(backfill.partitions_per_run)],
              ['Priority', backfill.priority],
              ['Failures tried again', backfill.max_failures],
              ['Canary', canaryText(backfill)],
              ['Breaker', breakerText(backfill.breaker)],
              ['Hours', backfill.windows.map(windowText).join('\n') || null],
              ['On conflict', backfill.on_conflict],
              [
                'Pools',
                Object.entries(backfill.pools)
                  .map(([p, n]) => `${p} (${n})`)
                  .join(', '),
              ],
              [
                'Time for one run',
                backfill.run_timeout_seconds && duration(backfill.run_timeout_seconds),
              ],
              [
                'Time in all',
                backfill.timeout_seconds &&
                  `${duration(backfill.timeout_seconds)}, then ${backfill.on_timeout ?? 'cancel'}`,
              ],
              ['Hooks of its runs', backfill.quiet ? 'not called' : null],
              ['Queue', backfill.queue],
              ['Cloned from', backfill.cloned_from && <BackfillLink id={backfill.cloned_from} />],
              ['Generation', backfill.generation],
              ['Tags', <TagList key="tags" tags={backfill.tags} />],
              ['Note', backfill.note],
              ['Submitted', <Time key="created" at={backfill.created_at} />],
            ]}
          />
        </div>
      </section>
      <div className="stack">
        <Drift backfill={backfill} />
        <section className="panel" aria-labelledby="override">
          <header>
            <h2 id="override">Config override</h2>
          </header>
          <div className={styles.inset}>
            <YamlView
              value={backfill.run_config}
              empty="None: every partition has its own config."
            />
          </div>
        </section>
      </div>
    </div>
  )
}

function Drift({ backfill }: { backfill: Backfill }) {
  const drift = useQuery(driftQuery(backfill.id))
  const found = drift.data
  return (
    <section className="panel" aria-labelledby="drift">
      <header>
        <h2 id="drift">Since it was submitted</h2>
      </header>
      <div className={styles.inset}>
        <ProblemLine error={drift.error} />
        {drift.isPending && <span className="soft">Looking at the set…</span>}
        {found && (
          <Facts
            facts={[
              ['Joined the set', keysOf(found.joined, found.joined_keys)],
              ['Left the set', keysOf(found.gone, found.gone_keys)],
              ['Left before their run', found.vanished || null],
              ['Code', found.code_changed ? 'is another one now' : 'is the same'],
              ['Selection', found.problem],
            ]}
          />
        )}
      </div>
    </section>
  )
}

function keysOf(count: number, keys: readonly string[]): string {
  if (!count) return 'none'
  const more = count > keys.length ? ', …' : ''
  return `${count.toLocaleString()}: ${keys.join(', ')}${more}`
}

function leftOut(backfill: Backfill): string | null {
  const reasons = Object.entries(backfill.left_out)
  return reasons.map(([reason, count]) => `${count.toLocaleString()} ${reason}`).join(', ') || null
}

function narrowedText(narrowed: Backfill['narrowed']): string | null {
  const parts = Object.entries(narrowed ?? {}).map(([how, n]) => `${how} ${n.toLocaleString()}`)
  return parts.join(', ') || null
}

function orderText(backfill: Backfill): string {
  const first = { oldest: 'oldest first', newest: 'newest first', listed: 'as listed' }
  const order = backfill.ordering === 'weight' ? 'heaviest first' : first[backfill.ordering]
  if (backfill.depends_on_previous) return `${order}, each after the one before it succeeded`
  return backfill.sequential ? `${order}, one after the other` : order
}

function canaryText({ canary, canary_percent: percent, canary_state: state }: Backfill) {
  return canary ? `${canary} first, ${percent} % must succeed: ${state ?? 'waiting'}` : null
}

function breakerText(breaker: Backfill['breaker']): string | null {
  if (!breaker) return null
  const { in_row: row, in_all: all, percent, last } = breaker
  const parts = [
    row && `${row} failures in a row`,
    all && `${all} failures in all`,
    percent && `${percent} % of the last ${last ?? 0} failed`,
  ]
  return `pauses after ${parts.filter(Boolean).join(', or ')}`
}

function togetherText(count: number | null): string | null {
  if (count === null || count === 1) return null
  return count === 0 ? 'all that are neighbours' : count.toLocaleString()
}
