import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'

import { schedulesQuery, type ScheduleStatus } from '@/pages/schedules/queries'
import { ScheduleLink } from '@/parts/links'
import { Loaded } from '@/parts/Shown'
import { StateMark } from '@/parts/StateMark'
import { Time } from '@/parts/Time'
import styles from './home.module.css'

const MOST = 8

/** Schedules, those that tick next first. */
export function SchedulesPanel() {
  const schedules = useQuery(schedulesQuery)
  return (
    <section className="panel" aria-labelledby="schedules">
      <header className="row spread">
        <h2 id="schedules">Schedules</h2>
        <Link to="/schedules">All schedules</Link>
      </header>
      <Loaded query={schedules}>
        {({ items }) =>
          items.length ? (
            <ul className={styles.list}>
              {[...items]
                .sort((a, b) => orderOf(a).localeCompare(orderOf(b)))
                .slice(0, MOST)
                .map((schedule) => (
                  <One key={schedule.name} schedule={schedule} />
                ))}
            </ul>
          ) : (
            <p className={styles.quiet}>The code defines none.</p>
          )
        }
      </Loaded>
    </section>
  )
}

function One({ schedule }: { schedule: ScheduleStatus }) {
  const next = schedule.next_ticks[0]
  const last = schedule.last_tick
  return (
    <li className={styles.schedule}>
      <span>
        <ScheduleLink name={schedule.name} />
        {last && (
          <span className="small soft row">
            <StateMark state={last.state} size={11} title={last.state} />
            last <Time at={last.tick_at} relative />
          </span>
        )}
      </span>
      <span className="soft nowrap">{next ? <Time at={next} relative /> : schedule.state}</span>
    </li>
  )
}

/** Sorts by the next tick; those without one are last. */
function orderOf(schedule: ScheduleStatus): string {
  return schedule.next_ticks[0] ?? `~${schedule.name}`
}
