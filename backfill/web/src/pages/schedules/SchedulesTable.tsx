import { PipelineLink, ScheduleLink, SetLink } from '@/parts/links'
import { StateChip } from '@/parts/StateMark'
import { Time } from '@/parts/Time'
import type { ScheduleStatus } from './queries'
import { StartStop } from './StartStop'

/** Schedules, how each stands, and the switch to start and stop it. */
export function SchedulesTable({ schedules }: { schedules: readonly ScheduleStatus[] }) {
  return (
    <div className="scroll-x">
      <table>
        <thead>
          <tr>
            <th>Schedule</th>
            <th>State</th>
            <th>Runs</th>
            <th>Cron</th>
            <th>Next tick</th>
            <th>Last tick</th>
            <th>
              <span className="visually-hidden">Start or stop</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {schedules.map((schedule) => (
            <tr key={schedule.name}>
              <td>
                <ScheduleLink name={schedule.name} />
              </td>
              <td>
                <StateChip state={schedule.state} />
              </td>
              <td>
                <WhatItRuns schedule={schedule} />
              </td>
              <td>
                <Cron schedule={schedule} />
              </td>
              <td>
                <Time at={schedule.next_ticks[0]} relative />
              </td>
              <td>
                <LastTick schedule={schedule} />
              </td>
              <td>
                <StartStop schedule={schedule} small />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

export function WhatItRuns({ schedule }: { schedule: ScheduleStatus }) {
  const { definition } = schedule
  if (!definition) return <span className="soft">no longer defined</span>
  if (definition.partition_set) return <SetLink name={definition.partition_set} />
  return <PipelineLink name={definition.pipeline} />
}

export function Cron({ schedule }: { schedule: ScheduleStatus }) {
  const { definition } = schedule
  if (!definition) return <span className="soft">–</span>
  return (
    <>
      <span className="mono nowrap">{definition.cron}</span>
      <div className="soft small">{definition.timezone}</div>
    </>
  )
}

function LastTick({ schedule }: { schedule: ScheduleStatus }) {
  const tick = schedule.last_tick
  if (!tick) return <span className="soft">none yet</span>
  return (
    <>
      <StateChip state={tick.state} />
      <div className="soft small">
        <Time at={tick.tick_at} relative />
      </div>
    </>
  )
}
