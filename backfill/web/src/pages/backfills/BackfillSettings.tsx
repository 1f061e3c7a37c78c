import { useQuery } from '@tanstack/react-query'

import { Facts } from '@/parts/Facts'
import { ProblemLine } from '@/parts/Shown'
import { TagList } from '@/parts/TagList'
import { Time } from '@/parts/Time'
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
              ['Order', backfill.ordering],
              ['At a time', backfill.max_active_runs?.toLocaleString() ?? 'no limit of its own'],
              ['Priority', backfill.priority],
              ['Failures tried again', backfill.max_failures],
              ['Queue', backfill.queue],
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
