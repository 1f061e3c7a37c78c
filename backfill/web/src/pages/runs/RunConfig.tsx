import { Facts } from '@/parts/Facts'
import { Time } from '@/parts/Time'
import { YamlView } from '@/parts/YamlView'
import type { Run } from './queries'
import styles from './RunConfig.module.css'

/** What the run really used, secrets taken out, and how it was asked for. */
export function RunConfig({ run }: { run: Run }) {
  return (
    <div className={styles.columns}>
      <section className="panel" aria-labelledby="config">
        <header>
          <h2 id="config">{run.attempt ? 'Config it used' : 'Config override'}</h2>
        </header>
        <div className={styles.inset}>
          <YamlView value={run.run_config} empty="None." />
        </div>
      </section>
      <section className="panel" aria-labelledby="facts">
        <header>
          <h2 id="facts">Facts</h2>
        </header>
        <div className={styles.inset}>
          <Facts
            facts={[
              ['Steps', run.steps?.join(', ') ?? 'all'],
              ['Queue', run.queue],
              ['Failures tried again', run.max_failures],
              ['Time limit', run.timeout_seconds && `${run.timeout_seconds} s`],
              ['Code version', run.version && <code>{run.version}</code>],
              ['Celery task', run.message_id && <code>{run.message_id}</code>],
              ['Created', <Time key="created" at={run.created_at} />],
              ['Queued', run.queued_at && <Time at={run.queued_at} />],
              ['Started', run.started_at && <Time at={run.started_at} />],
              ['Finished', run.finished_at && <Time at={run.finished_at} />],
              ['Cancel asked', run.cancel_requested_at && <Time at={run.cancel_requested_at} />],
              ['Reason', run.reason],
            ]}
          />
        </div>
      </section>
    </div>
  )
}
