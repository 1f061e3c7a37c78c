import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'

import { EventList } from '@/parts/EventList'
import { Loaded } from '@/parts/Shown'
import { Failures } from './Failures'
import { backfillEventsQuery, backfillRunsQuery, type Backfill } from './queries'
import { RunTimeline } from './RunTimeline'

const SHOWN_RUNS = 200
const SHOWN_EVENTS = 5

/** What one looks for first: what failed and why, how it went, what operators did. */
export function BackfillOverview({ backfill }: { backfill: Backfill }) {
  const { id } = backfill
  const runs = useQuery(backfillRunsQuery(id, {}, SHOWN_RUNS))
  const events = useQuery(backfillEventsQuery(id))
  return (
    <div className="stack">
      {backfill.counts.failed > 0 && <Failures backfill={backfill} />}
      <section className="panel" aria-labelledby="timeline">
        <header className="row spread">
          <h2 id="timeline">Timeline</h2>
          <span className="small soft">
            {runs.data?.next ? `the newest ${SHOWN_RUNS} runs` : 'every run'}
          </span>
        </header>
        <Loaded query={runs}>{({ items }) => <RunTimeline runs={items} />}</Loaded>
      </section>
      {Boolean(events.data?.items.length) && (
        <section className="stack" aria-labelledby="latest">
          <div className="row spread">
            <h2 id="latest">Latest events</h2>
            <Link
              to="/backfills/$backfillId"
              params={{ backfillId: id }}
              search={{ tab: 'events' }}
            >
              All events
            </Link>
          </div>
          <EventList items={events.data!.items.slice(0, SHOWN_EVENTS)} />
        </section>
      )}
    </div>
  )
}
