import { CheckField, Folded, NumberField, SelectField } from './fields'
import styles from './launch.module.css'
import type { SectionProps } from './LaunchPage'
import type { CONFLICTS, ON_TIMEOUT } from './search'

const CONFLICT_WORDS: readonly (readonly [(typeof CONFLICTS)[number], string])[] = [
  ['wait', 'wait for it'],
  ['skip', 'leave the partition out'],
  ['refuse', 'do not submit'],
]
const TIMEOUT_WORDS: readonly (readonly [(typeof ON_TIMEOUT)[number], string])[] = [
  ['cancel', 'cancel what is left'],
  ['pause', 'pause it'],
]
const NOTHING_SET = 'none'

/** What keeps a mistake small: a canary, a breaker, fewer partitions, time limits. */
export function GuardSection({ form, change }: SectionProps) {
  return (
    <Folded title="Guards" told={told(form)} open={told(form) !== NOTHING_SET}>
      <fieldset className="plain-fields">
        <legend>Canary: run these first, alone; go on if they succeed</legend>
        <div className={styles.fields}>
          <NumberField
            label="Partitions"
            placeholder="no canary"
            help="Spread over the selection"
            least={1}
            value={form.canary}
            onChange={(canary) => change({ canary })}
          />
          <NumberField
            label="Percent that must succeed"
            placeholder="100"
            least={1}
            most={100}
            value={form.canary_percent}
            onChange={(canary_percent) => change({ canary_percent })}
          />
          <CheckField
            label="Run only the canary"
            checked={form.canary_only ?? false}
            onChange={(on) => change({ canary_only: on || undefined })}
          />
        </div>
      </fieldset>
      <fieldset className="plain-fields">
        <legend>Breaker: pause after</legend>
        <div className={styles.fields}>
          <NumberField
            label="Failures in a row"
            placeholder="any"
            least={1}
            value={form.in_row}
            onChange={(in_row) => change({ in_row })}
          />
          <NumberField
            label="Failures in all"
            placeholder="any"
            least={1}
            value={form.in_all}
            onChange={(in_all) => change({ in_all })}
          />
          <NumberField
            label="Percent failed"
            placeholder="any"
            least={1}
            most={100}
            value={form.percent}
            onChange={(percent) => change({ percent, last: percent && (form.last ?? 20) })}
          />
          <NumberField
            label="… of the last"
            placeholder="20"
            help="finished runs"
            least={1}
            most={1000}
            value={form.last}
            onChange={(last) => change({ last })}
          />
        </div>
      </fieldset>
      <fieldset className="plain-fields">
        <legend>A few of the selected</legend>
        <div className={styles.fields}>
          <NumberField
            label="The first"
            placeholder="all"
            help="In the chosen order"
            least={1}
            value={form.limit}
            onChange={(limit) => change({ limit })}
          />
          <NumberField
            label="A sample of"
            placeholder="all"
            help="Spread over the selection"
            least={1}
            value={form.sample}
            onChange={(sample) => change({ sample })}
          />
          <SelectField
            label="When another run has the partition"
            value={form.conflict ?? 'wait'}
            options={CONFLICT_WORDS}
            onChange={(next) => change({ conflict: next === 'wait' ? undefined : next })}
          />
        </div>
      </fieldset>
      <fieldset className="plain-fields">
        <legend>Time limits, in seconds</legend>
        <div className={styles.fields}>
          <NumberField
            label="Of one run"
            placeholder="none"
            least={1}
            value={form.run_timeout}
            onChange={(run_timeout) => change({ run_timeout })}
          />
          <NumberField
            label="Of the whole"
            placeholder="none"
            least={1}
            value={form.timeout}
            onChange={(timeout) => change({ timeout })}
          />
          <SelectField
            label="When that is over"
            value={form.on_timeout ?? 'cancel'}
            options={TIMEOUT_WORDS}
            onChange={(next) => change({ on_timeout: next === 'cancel' ? undefined : next })}
          />
        </div>
      </fieldset>
    </Folded>
  )
}

function told(form: SectionProps['form']): string {
  const parts = [
    form.canary && `canary of ${form.canary}`,
    form.in_row && `breaks at ${form.in_row} failures in a row`,
    form.in_all && `breaks at ${form.in_all} failures`,
    form.percent && `breaks at ${form.percent} % failed`,
    form.limit && `the first ${form.limit}`,
    form.sample && `a sample of ${form.sample}`,
    form.conflict && `conflicts: ${form.conflict}`,
    form.run_timeout && `${form.run_timeout} s a run`,
    form.timeout && `${form.timeout} s in all`,
  ].filter(Boolean)
  return parts.join(' · ') || NOTHING_SET
}
