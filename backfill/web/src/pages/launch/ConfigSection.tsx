import type { Schemas } from '@/api/client'
import { YamlEditor } from '@/parts/editor/YamlEditor'
import { StepPicker } from '@/parts/StepPicker'
import { Folded } from './fields'
import styles from './launch.module.css'
import type { SectionProps } from './LaunchPage'

const REDACTED = '[redacted]'

/** What each run executes, and with which config. */
export function ConfigSection({
  form,
  change,
  pipeline,
  problems,
}: SectionProps & {
  pipeline: Schemas['Pipeline'] | undefined
  problems: readonly Schemas['ConfigError'][] | undefined
}) {
  const steps = form.step ? form.step.join(', ') : 'every step'
  return (
    <>
      <Folded title="Steps" told={steps} open={form.step !== undefined}>
        {pipeline ? (
          <StepPicker
            steps={pipeline.steps}
            chosen={form.step}
            onChange={(step) => change({ step })}
          />
        ) : (
          <span className="soft">Choose a partition set first.</span>
        )}
      </Folded>
      <Folded
        title="Config override"
        told={form.config ? 'merged over every partition’s own config' : 'none'}
        open={form.config !== undefined}
      >
        <p className="soft small">
          Merged over the config that the set makes for each partition. The plan shows what comes
          out for any of them.
        </p>
        {form.config?.includes(REDACTED) && (
          <p className={styles.secrets} role="note">
            Secrets were taken out of this. Left as it is, they stay those of backfill {form.from};
            in a config that you change, write them again.
          </p>
        )}
        <div className={styles.editor}>
          <YamlEditor
            label="Config override, YAML"
            value={form.config ?? ''}
            onChange={(config) => change({ config: config || undefined })}
            schema={pipeline?.run_config_schema}
            problems={form.config ? problems : undefined}
          />
        </div>
      </Folded>
    </>
  )
}
