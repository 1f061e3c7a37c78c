/** What became of the ticks of a schedule. */
import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'

import type { Schemas } from '@/api/client'
import { RunLink } from '@/parts/links'
import { Pager } from '@/parts/Pager'
import { Empty, Loaded } from '@/parts/Shown'
import { lookOf, StateChip } from '@/parts/StateMark'
import { Time } from '@/parts/Time'
import { ticksQuery } from './queries'
import { scheduleRoute, TICK_STATES } from './routes'
import styles from './SchedulePage.module.css'

const RUNS_SHOWN = 8

export function Ticks({ schedule }: { schedule: string }) {
  const { state, cursor } = scheduleRoute.useSearch()
  const navigate = useNavigate({ from: scheduleRoute.fullPath })
  const ticks = useQuery(ticksQuery(schedule, state, cursor))
  return (
    <section className="panel" aria-labelledby="ticks">
      <header className="row spread">
        <h2 id="ticks">Ticks</h2>
        <select
          aria-label="Ticks shown"
          value={state ?? ''}
          onChange={(event) => {
            const chosen = TICK_STATES.find((one) => one === event.target.value)
            void navigate({ search: chosen ? { state: chosen } : {} })
          }}
        >
          <option value="">all ticks</option>
          {TICK_STATES.map((one) => (
            <option key={one} value={one}>
              {lookOf(one).word}
            </option>
          ))}
        </select>
      </header>
      <Loaded query={ticks}>
        {({ items, next }) =>
          items.length ? (
            <>
              <TicksTable ticks={items} />
              <Pager cursor={cursor} next={next} />
            </>
          ) : (
            <Empty title={state ? `No tick is ${lookOf(state).word}` : 'It has not ticked yet'} />
          )
        }
      </Loaded>
    </section>
  )
}

function TicksTable({ ticks }: { ticks: readonly Schemas['Tick'][] }) {
  return (
    <div className="scroll-x">
      <table>
        <thead>
          <tr>
            <th>Tick</th>
            <th>State</th>
            <th>Runs</th>
            <th>Why</th>
          </tr>
        </thead>
        <tbody>
          {ticks.map((tick) => (
            <tr key={tick.id}>
              <td>
                <Time at={tick.tick_at} />
                {tick.by_hand && (
                  <div className="soft small">by hand{tick.asked_by && `, ${tick.asked_by}`}</div>
                )}
              </td>
              <td>
                <StateChip state={tick.state} />
              </td>
              <td className={styles.runs}>
                <Runs ids={tick.run_ids} />
              </td>
              <td className="break">
                {tick.reason}
                {tick.error && (
                  <details>
                    <summary>Traceback</summary>
                    <pre className={styles.trace}>{tick.error}</pre>
                  </details>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function Runs({ ids }: { ids: readonly string[] }) {
  if (!ids.length) return <span className="soft">none</span>
  const more = ids.length - RUNS_SHOWN
  return (
    <>
      {ids.slice(0, RUNS_SHOWN).map((id, index) => (
        <span key={id}>
          {index > 0 && ', '}
          <RunLink id={id} />
        </span>
      ))}
      {more > 0 && <span className="soft"> and {more.toLocaleString()} more</span>}
    </>
  )
}
