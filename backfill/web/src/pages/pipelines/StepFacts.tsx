/** A step: what it does, takes and gives, and the config it wants. */
import { duration } from '@/parts/times'
import { schemasAt, type Schema } from '@/parts/editor/schema'
import { SchemaTree } from './SchemaTree'
import type { Pipeline, Step } from './queries'
import styles from './PipelinePage.module.css'

export function StepFacts({ pipeline, step }: { pipeline: Pipeline; step: Step }) {
  const root = pipeline.run_config_schema as Schema
  const config = schemasAt(root, ['steps', step.name, 'config'])[0]
  const facts: [string, string][] = [
    ['Waits for', step.upstream.join(', ')],
    ['Takes', step.inputs.map(inputText).join(', ')],
    ['Gives', step.outputs.join(', ')],
    ['Retries', step.max_retries ? String(step.max_retries) : ''],
    ['Time limit', step.timeout_seconds === null ? '' : duration(step.timeout_seconds)],
    ['Resources', step.resources.join(', ')],
    [
      'Pools',
      Object.entries(step.pools)
        .map(([pool, slots]) => (slots === 1 ? pool : `${pool} (${slots} slots)`))
        .join(', '),
    ],
    [
      'Tags',
      Object.entries(step.tags)
        .map(([key, value]) => `${key}: ${value}`)
        .join(', '),
    ],
    ['Defined in', step.place],
  ]
  return (
    <section aria-label={`Step ${step.name}`}>
      <h2 className="break">{step.name}</h2>
      {step.description && <p className={styles.words}>{step.description}</p>}
      <dl className={styles.facts}>
        {facts
          .filter(([, value]) => value)
          .map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd className="break">{value}</dd>
            </div>
          ))}
      </dl>
      <h3>Config</h3>
      {config && (config.properties ?? config.type ?? config.enum) ? (
        <SchemaTree schema={config} root={root} />
      ) : (
        <p className="soft">It takes none.</p>
      )}
    </section>
  )
}

function inputText(input: Record<string, unknown>): string {
  return typeof input['name'] === 'string' ? input['name'] : JSON.stringify(input)
}
