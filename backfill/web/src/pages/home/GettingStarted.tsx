import { Link } from '@tanstack/react-router'

import type { Schemas } from '@/api/client'
import { LaunchLink } from '@/pages/launch/LaunchLink'
import styles from './home.module.css'

const MOST = 6

/** What to do when nothing has run yet. */
export function GettingStarted({ definitions }: { definitions: Schemas['Definitions'] }) {
  const { partition_sets: sets, sources } = definitions
  const first = sets[0]
  return (
    <section className={`panel ${styles.start}`} aria-labelledby="start">
      <div>
        <h2 id="start">Nothing has run yet</h2>
        <p className="soft">
          {first
            ? 'A backfill runs a pipeline over partitions of a set: choose some, look at the plan, submit.'
            : 'The server has loaded no partition set. Define one in Python; it shows up here by itself.'}
        </p>
      </div>
      <div className={styles.ways}>
        {first ? (
          <>
            <div className={styles.way}>
              <h3>From this page</h3>
              <ul className={styles.sets}>
                {sets.slice(0, MOST).map((set) => (
                  <li key={set.name}>
                    <Link to="/launch" search={{ set: set.name, select: 'all' }} className="break">
                      {set.name}
                    </Link>
                    <span className="soft break">{set.pipeline}</span>
                  </li>
                ))}
              </ul>
              <div>
                <LaunchLink search={{ set: first.name, select: 'all' }} primary />
              </div>
            </div>
            <div className={styles.way}>
              <h3>From the command line</h3>
              <pre>{`backfill plan ${first.name} --all\nbackfill submit ${first.name} --all\nbackfill list`}</pre>
            </div>
          </>
        ) : (
          <div className={styles.way}>
            <h3>Loaded from</h3>
            <pre>{sources.join('\n') || 'nothing: set BACKFILL_DEFINITIONS'}</pre>
            <Link to="/pipelines">Look at what was loaded</Link>
          </div>
        )}
        <div className={styles.way}>
          <h3>One run, to try it</h3>
          <p className="soft">
            The Playground runs a pipeline for a single partition, with a config you can edit.
          </p>
          <Link to="/playground">Open the Playground</Link>
        </div>
      </div>
    </section>
  )
}
