import type { Schemas } from '@/api/client'
import styles from './Playground.module.css'

/** Which steps run; none chosen means all. */
export function StepsChooser({
  steps,
  chosen,
  onChange,
}: {
  steps: readonly Schemas['Step'][]
  chosen: readonly string[]
  onChange: (chosen: string[]) => void
}) {
  return (
    <fieldset className={styles.steps}>
      <legend>
        Steps:{' '}
        <span className="soft">
          {chosen.length ? `${chosen.length} of ${steps.length}` : 'all'}
        </span>
      </legend>
      <div className={styles.stepList}>
        {steps.map(({ name }) => (
          <label key={name} className="row">
            <input
              type="checkbox"
              checked={chosen.includes(name)}
              onChange={(event) =>
                onChange(
                  event.target.checked
                    ? steps
                        .map((step) => step.name)
                        .filter((one) => one === name || chosen.includes(one))
                    : chosen.filter((one) => one !== name),
                )
              }
            />
            <span className="mono break">{name}</span>
          </label>
        ))}
      </div>
    </fieldset>
  )
}
