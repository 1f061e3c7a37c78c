import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'

import { SetLink } from '@/parts/links'
import { Page } from '@/parts/Page'
import { Loaded } from '@/parts/Shown'
import { StateChip } from '@/parts/StateMark'
import { Tabs } from '@/parts/Tabs'
import { BackfillActions } from './BackfillActions'
import { BackfillEvents } from './BackfillEvents'
import { BackfillMatrix } from './BackfillMatrix'
import { BackfillOverview } from './BackfillOverview'
import { BackfillRuns } from './BackfillRuns'
import { BackfillSettings } from './BackfillSettings'
import { BackfillSummary } from './BackfillSummary'
import { backfillQuery } from './queries'
import { backfillRoute, type BackfillTab } from './routes'

export function BackfillPage() {
  const { backfillId: id } = backfillRoute.useParams()
  const { tab = 'overview' } = backfillRoute.useSearch()
  const navigate = useNavigate({ from: backfillRoute.fullPath })
  const backfill = useQuery(backfillQuery(id))
  const known = backfill.data
  return (
    <Page
      title={`Backfill ${id}`}
      within={<Link to="/backfills">Backfills</Link>}
      heading={
        known && (
          <span className="row">
            Backfill {id} <StateChip state={known.state} />
          </span>
        )
      }
      actions={known && <BackfillActions backfill={known} />}
    >
      <Loaded query={backfill}>
        {(found) => (
          <>
            <div className="row soft">
              <SetLink name={found.partition_set} />
              <span aria-hidden>·</span>
              <code className="break">{found.selection}</code>
              {found.note && (
                <>
                  <span aria-hidden>·</span>
                  <span className="break">{found.note}</span>
                </>
              )}
            </div>
            <BackfillSummary backfill={found} />
            <Tabs<BackfillTab>
              label={`Parts of backfill ${id}`}
              value={tab}
              onChange={(next) =>
                void navigate({ search: next === 'overview' ? {} : { tab: next } })
              }
              tabs={[
                ['overview', 'Overview', () => <BackfillOverview backfill={found} />],
                ['matrix', 'Matrix', () => <BackfillMatrix backfill={found} />],
                ['runs', 'Runs', () => <BackfillRuns backfill={found} />],
                ['events', 'Events', () => <BackfillEvents id={id} />],
                ['settings', 'Settings', () => <BackfillSettings backfill={found} />],
              ]}
            />
          </>
        )}
      </Loaded>
    </Page>
  )
}
