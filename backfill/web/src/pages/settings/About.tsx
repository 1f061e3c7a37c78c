import { useQuery } from '@tanstack/react-query'

import { definitionsQuery } from '@/api/definitions'
import { sessionQuery } from '@/api/session'
import { Loaded } from '@/parts/Shown'
import { Time } from '@/parts/Time'
import styles from './About.module.css'
import { healthQuery } from './queries'

/** Who is logged in, what this server runs, and what it loads. */
export function About() {
  const session = useQuery(sessionQuery)
  const health = useQuery(healthQuery)
  const definitions = useQuery(definitionsQuery)
  return (
    <div className="panel padded">
      <dl className={styles.facts}>
        <dt>You are</dt>
        <dd className="break">
          {session.data?.name}, {session.data?.role}
        </dd>
        <dt>Backfill</dt>
        <dd>{health.data ? `${health.data.version}, ${health.data.status}` : '–'}</dd>
        <dt>API</dt>
        <dd>
          <a href="/docs">Reference of this server</a>
        </dd>
      </dl>
      <Loaded query={definitions}>
        {(found) => (
          <dl className={styles.facts}>
            <dt>Definitions</dt>
            <dd className="mono break">{found.sources.join(', ') || 'none'}</dd>
            <dt>Their version</dt>
            <dd className="mono break">{found.version}</dd>
            <dt>Loaded</dt>
            <dd>
              <Time at={found.loaded_at} relative />
            </dd>
          </dl>
        )}
      </Loaded>
    </div>
  )
}
