/** A schedule: how it stands, its next ticks, and what became of those before. */
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'

import { useMay } from '@/api/session'
import { Button } from '@/parts/Button'
import { Page } from '@/parts/Page'
import { Loaded } from '@/parts/Shown'
import { StateChip } from '@/parts/StateMark'
import { Time } from '@/parts/Time'
import { nextTicksQuery, scheduleQuery, type ScheduleStatus } from './queries'
import { scheduleRoute } from './routes'
import styles from './SchedulePage.module.css'
import { Cron, WhatItRuns } from './SchedulesTable'
import { StartStop } from './StartStop'
import { TickDialog } from './TickDialog'
import { Ticks } from './Ticks'

export function SchedulePage() {
  const { name } = scheduleRoute.useParams()
  const schedule = useQuery(scheduleQuery(name))
  const [asking, setAsking] = useState(false)
  const may = useMay('operator')
  return (
    <Page
      title={name}
      within={<Link to="/schedules">Schedules</Link>}
      actions={
        schedule.data && (
          <>
            {schedule.data.definition && (
              <Button onClick={() => setAsking(true)}>
                {may ? 'Tick by hand…' : 'What would a tick do?'}
              </Button>
            )}
            <StartStop schedule={schedule.data} />
          </>
        )
      }
    >
      <Loaded query={schedule}>
        {(found) => (
          <>
            <Facts schedule={found} />
            <Ticks schedule={name} />
            {asking && <TickDialog schedule={found} onClose={() => setAsking(false)} />}
          </>
        )}
      </Loaded>
    </Page>
  )
}

function Facts({ schedule }: { schedule: ScheduleStatus }) {
  const next = useQuery({ ...nextTicksQuery(schedule.name), enabled: schedule.definition !== null })
  const running = schedule.state === 'running'
  return (
    <section className="panel padded" aria-label="How it stands">
      {schedule.definition?.description && <p>{schedule.definition.description}</p>}
      <dl className={styles.facts}>
        <div>
          <dt>State</dt>
          <dd>
            <StateChip state={schedule.state} />
            {schedule.changed_at && (
              <div className="soft small">
                since <Time at={schedule.changed_at} relative />
                {schedule.changed_by && ` by ${schedule.changed_by}`}
              </div>
            )}
          </dd>
        </div>
        <div>
          <dt>Runs</dt>
          <dd>
            <WhatItRuns schedule={schedule} />
          </dd>
        </div>
        <div>
          <dt>Cron</dt>
          <dd>
            <Cron schedule={schedule} />
          </dd>
        </div>
        <div>
          <dt>{running ? 'Next ticks' : 'Would tick'}</dt>
          <dd>
            {next.data?.items.map((at) => (
              <div key={at}>
                <Time at={at} />
              </div>
            )) ?? '–'}
          </dd>
        </div>
        {schedule.definition && (
          <div>
            <dt>When missed or busy</dt>
            <dd>
              {catchUpText(schedule.definition.catch_up)}
              <div>
                {schedule.definition.when_busy === 'skip'
                  ? 'skips partitions that are on their way'
                  : 'waits for partitions that are on their way'}
              </div>
            </dd>
          </div>
        )}
      </dl>
    </section>
  )
}

function catchUpText(catchUp: string): string {
  if (catchUp === 'none') return 'makes up for no missed tick'
  if (catchUp === 'last') return 'makes up for the last missed tick'
  if (catchUp === 'all') return 'makes up for every missed tick'
  return `makes up for the newest ${catchUp} missed ticks`
}
