import { useQuery } from '@tanstack/react-query'

import { EventList } from '@/parts/EventList'
import { Pager } from '@/parts/Pager'
import { Loaded } from '@/parts/Shown'
import { backfillEventsQuery } from './queries'
import { backfillRoute } from './routes'

export function BackfillEvents({ id }: { id: string }) {
  const { cursor } = backfillRoute.useSearch()
  const events = useQuery(backfillEventsQuery(id, cursor))
  return (
    <Loaded query={events}>
      {({ items, next }) => (
        <div className="stack">
          <EventList items={items} />
          <Pager cursor={cursor} next={next} />
        </div>
      )}
    </Loaded>
  )
}
