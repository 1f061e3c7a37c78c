import { useQuery } from '@tanstack/react-query'

import { definitionsQuery } from '@/api/definitions'
import { backfillsQuery } from '@/pages/backfills/queries'
import { LaunchLink } from '@/pages/launch/LaunchLink'
import { runsQuery } from '@/pages/runs/queries'
import { Page } from '@/parts/Page'
import { FailedLately } from './FailedLately'
import { FleetPanel } from './FleetPanel'
import { GettingStarted } from './GettingStarted'
import styles from './home.module.css'
import { RunningNow } from './RunningNow'
import { SchedulesPanel } from './SchedulesPanel'

export function HomePage() {
  const backfills = useQuery(backfillsQuery({}, 1))
  const runs = useQuery(runsQuery({}, undefined, 1))
  const definitions = useQuery(definitionsQuery)
  const isNew = backfills.data?.items.length === 0 && runs.data?.items.length === 0
  return (
    <Page title="Home" actions={!isNew && <LaunchLink primary />}>
      {isNew && definitions.data && <GettingStarted definitions={definitions.data} />}
      <div className={isNew ? undefined : styles.home}>
        {!isNew && (
          <div className={styles.main}>
            <RunningNow />
            <FailedLately />
          </div>
        )}
        <div className={isNew ? styles.across : styles.side}>
          <FleetPanel />
          <SchedulesPanel />
        </div>
      </div>
    </Page>
  )
}
