import { useQuery } from '@tanstack/react-query'

import { Page } from '@/parts/Page'
import { Empty, Loaded } from '@/parts/Shown'
import { schedulesQuery } from './queries'
import { SchedulesTable } from './SchedulesTable'

export function SchedulesPage() {
  const schedules = useQuery(schedulesQuery)
  return (
    <Page title="Schedules">
      <Loaded query={schedules}>
        {({ items }) =>
          items.length ? (
            <div className="panel">
              <SchedulesTable schedules={items} />
            </div>
          ) : (
            <Empty title="No schedules">
              Define one with <code>@schedule</code>, or a partition set&apos;s{' '}
              <code>create_schedule_definition</code>.
            </Empty>
          )
        }
      </Loaded>
    </Page>
  )
}
