import { Folded, LinesField, NumberField, SelectField } from './fields'
import styles from './launch.module.css'
import type { SectionProps } from './LaunchPage'
import type { LINES, ORDERINGS } from './search'

const ORDER_WORDS: readonly (readonly [(typeof ORDERINGS)[number], string])[] = [
  ['oldest', 'oldest first'],
  ['newest', 'newest first'],
  ['listed', 'as the selection lists them'],
  ['weight', 'heaviest first'],
]
const LINE_WORDS: readonly (readonly [(typeof LINES)[number] | 'free', string])[] = [
  ['free', 'side by side'],
  ['sequential', 'one after the other'],
  ['previous', 'each after the one before it succeeded'],
]

/** In which order, how many at a time, when. */
export function OrderSection({ form, change }: SectionProps) {
  return (
    <Folded title="Order, limits, hours" told={told(form)} open={told(form) !== NOTHING_SET}>
      <div className={styles.fields}>
        <SelectField
          label="Order"
          value={form.order ?? 'oldest'}
          options={ORDER_WORDS}
          onChange={(order) => change({ order: order === 'oldest' ? undefined : order })}
        />
        <SelectField
          label="Partitions run"
          value={form.line ?? 'free'}
          options={LINE_WORDS}
          onChange={(line) => change({ line: line === 'free' ? undefined : line })}
        />
      </div>
      <div className={styles.fields}>
        <NumberField
          label="At a time"
          placeholder="no limit"
          help="Runs of this backfill"
          least={1}
          value={form.at_once}
          onChange={(at_once) => change({ at_once })}
        />
        <NumberField
          label="Priority"
          placeholder="0"
          help="Higher goes first"
          least={-1000}
          most={1000}
          value={form.priority}
          onChange={(priority) => change({ priority })}
        />
        <NumberField
          label="Tries after failure"
          placeholder="0"
          help="Of each run"
          most={1000}
          value={form.failures}
          onChange={(failures) => change({ failures })}
        />
        <NumberField
          label="Partitions per run"
          placeholder="as defined"
          help="Neighbours; 0: all"
          value={form.together}
          onChange={(together) => change({ together })}
        />
      </div>
      <LinesField
        label="Only within these hours"
        placeholder="mon-fri 20:00-06:00 Europe/Zurich"
        help="One a line: days, hours, zone. Outside them nothing of it starts."
        value={form.window}
        onChange={(window) => change({ window })}
      />
    </Folded>
  )
}

const NOTHING_SET = 'oldest first, as many at a time as there are slots'

function told(form: SectionProps['form']): string {
  const parts = [
    form.order && ORDER_WORDS.find(([one]) => one === form.order)?.[1],
    form.line && LINE_WORDS.find(([one]) => one === form.line)?.[1],
    form.at_once && `${form.at_once} at a time`,
    form.together !== undefined && `${form.together || 'all'} partitions per run`,
    form.priority && `priority ${form.priority}`,
    form.failures && `${form.failures} tries after failure`,
    form.window?.join(', '),
  ].filter(Boolean)
  return parts.join(' · ') || NOTHING_SET
}
