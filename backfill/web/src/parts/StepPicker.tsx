import styles from './StepPicker.module.css'
import { inOrder, withDownstream, withUpstream, type StepNode } from './steps'

/** Which steps of a pipeline; undefined: all of them. */
export function StepPicker({
  steps,
  chosen,
  onChange,
}: {
  steps: readonly StepNode[]
  chosen: readonly string[] | undefined
  onChange: (chosen: string[] | undefined) => void
}) {
  const on = new Set(chosen ?? steps.map((step) => step.name))
  const become = (names: Iterable<string>) => onChange(inOrder(steps, names))
  const toggle = (name: string) =>
    become(
      steps.map((step) => step.name).filter((one) => (one === name ? !on.has(one) : on.has(one))),
    )
  return (
    <fieldset className={styles.picker}>
      <legend className="visually-hidden">Steps</legend>
      <div className={styles.all}>
        <span className="small soft">
          {chosen ? `${chosen.length} of ${steps.length} steps` : `all ${steps.length} steps`}
        </span>
        {chosen && (
          <button type="button" className={styles.quick} onClick={() => onChange(undefined)}>
            all
          </button>
        )}
      </div>
      {steps.map(({ name }) => (
        <div key={name} className={styles.step}>
          <label>
            <input type="checkbox" checked={on.has(name)} onChange={() => toggle(name)} />
            <span className="break">{name}</span>
          </label>
          <span className={styles.quicks}>
            <button
              type="button"
              className={styles.quick}
              onClick={() => become([name])}
              aria-label={`only ${name}`}
            >
              only
            </button>
            <button
              type="button"
              className={styles.quick}
              onClick={() => become(withUpstream(steps, name))}
              aria-label={`${name} and what is upstream`}
            >
              upstream
            </button>
            <button
              type="button"
              className={styles.quick}
              onClick={() => become(withDownstream(steps, name))}
              aria-label={`${name} and what is downstream`}
            >
              downstream
            </button>
          </span>
        </div>
      ))}
    </fieldset>
  )
}
