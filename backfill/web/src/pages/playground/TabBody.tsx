/** One tab: what to run, the config, and what is wrong with it. */
import { useQuery } from '@tanstack/react-query'

import { definitionsQuery } from '@/api/definitions'
import { Button } from '@/parts/Button'
import { useDelayed } from '@/parts/delayed'
import type { Schema } from '@/parts/editor/schema'
import { parseYaml, removeExtra, scaffold } from '@/parts/editor/yamlText'
import { YamlEditor } from '@/parts/editor/YamlEditor'
import { LaunchRun } from './LaunchRun'
import { PartitionPicker } from './PartitionPicker'
import styles from './Playground.module.css'
import { validationQuery } from './queries'
import { StepsChooser } from './StepsChooser'
import type { PlaygroundTab } from './tabs'
import { TagsEditor } from './TagsEditor'

export function TabBody({
  tab,
  onChange,
  onFill,
}: {
  tab: PlaygroundTab
  onChange: (change: Partial<PlaygroundTab>) => void
  onFill: (tab: PlaygroundTab) => void
}) {
  const definitions = useQuery(definitionsQuery).data
  const pipeline = definitions?.pipelines.find((one) => one.name === tab.pipeline)
  const sets = definitions?.partition_sets.filter((one) => one.pipeline === tab.pipeline) ?? []
  const schema = pipeline?.run_config_schema as Schema | undefined
  const text = useDelayed(tab.config, 250)
  const parsed = parseYaml(text)
  const validation = useQuery({
    ...validationQuery(tab.pipeline, text, parsed.value ?? {}),
    enabled: pipeline !== undefined && parsed.value !== null,
  })
  const problems = parsed.value === null ? parsed.problems : validation.data?.errors
  const stale = tab.version !== null && pipeline && pipeline.version !== tab.version

  return (
    <div className={styles.body}>
      <div className={styles.main}>
        <div className="row">
          <select
            aria-label="Pipeline"
            value={tab.pipeline}
            onChange={(event) =>
              onChange({
                pipeline: event.target.value,
                set: null,
                partition: null,
                steps: [],
                version: null,
              })
            }
          >
            {!pipeline && (
              <option value={tab.pipeline}>{tab.pipeline || 'Choose a pipeline'}</option>
            )}
            {definitions?.pipelines.map(({ name }) => (
              <option key={name}>{name}</option>
            ))}
          </select>
          <select
            aria-label="Partition set"
            value={tab.set ?? ''}
            onChange={(event) => onChange({ set: event.target.value || null, partition: null })}
          >
            <option value="">No partition</option>
            {sets.map(({ name }) => (
              <option key={name}>{name}</option>
            ))}
          </select>
          {tab.set && (
            <PartitionPicker
              set={tab.set}
              value={tab.partition}
              onChoose={(partition) => onFill({ ...tab, partition })}
            />
          )}
        </div>
        {stale && (
          <div className={styles.notice} role="status">
            The definitions changed since this was filled in.
            <Button
              small
              onClick={() =>
                tab.partition ? onFill(tab) : onChange({ version: pipeline.version })
              }
            >
              {tab.partition ? 'Refresh' : 'Dismiss'}
            </Button>
          </div>
        )}
        <div className={styles.editor}>
          <YamlEditor
            label="Run config"
            value={tab.config}
            schema={schema}
            problems={text === tab.config ? validation.data?.errors : undefined}
            onChange={(config) =>
              onChange({ config, version: tab.version ?? pipeline?.version ?? null })
            }
          />
        </div>
        <div className="row">
          <Button
            small
            disabled={!schema}
            onClick={() => schema && onChange({ config: scaffold(tab.config, schema) })}
          >
            Scaffold what is missing
          </Button>
          <Button
            small
            disabled={!schema}
            onClick={() => schema && onChange({ config: removeExtra(tab.config, schema) })}
          >
            Remove what is extra
          </Button>
        </div>
      </div>
      <aside className={styles.side}>
        <LaunchRun
          tab={tab}
          value={parsed.value}
          fits={problems?.length === 0}
          settled={text === tab.config}
        />
        <section aria-label="Validation" aria-live="polite">
          <div className={styles.legend}>Config</div>
          <Verdict problems={problems} error={validation.error} />
        </section>
        <section aria-label="Tags">
          <div className={styles.legend}>Tags</div>
          <TagsEditor tags={tab.tags} onChange={(tags) => onChange({ tags })} />
        </section>
        {pipeline && (
          <StepsChooser
            steps={pipeline.steps}
            chosen={tab.steps}
            onChange={(steps) => onChange({ steps })}
          />
        )}
      </aside>
    </div>
  )
}

function Verdict({
  problems,
  error,
}: {
  problems: readonly { message: string }[] | undefined
  error: Error | null
}) {
  if (error) return <div className="error-text break">{error.message}</div>
  if (!problems) return <div className="soft">Checking…</div>
  if (!problems.length) return <div className={styles.fits}>It fits.</div>
  return (
    <ul className={styles.problems}>
      {problems.map((problem, index) => (
        <li key={index}>{problem.message}</li>
      ))}
    </ul>
  )
}
