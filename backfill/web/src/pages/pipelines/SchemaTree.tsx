/** A JSON Schema for people: keys, what they take, what must be given. */
import { expected, keysAt, resolved, type Path, type Schema } from '@/parts/editor/schema'
import styles from './PipelinePage.module.css'

const DEEPEST = 8

export function SchemaTree({
  schema,
  root,
  depth = 0,
}: {
  schema: Schema
  root: Schema
  depth?: number
}) {
  const keys = [...keysAt({ ...schema, $defs: root.$defs ?? {} }, [] as Path)]
  if (!keys.length || depth > DEEPEST) {
    return <span className="soft">{expected(schema, root)}</span>
  }
  return (
    <ul className={styles.tree}>
      {keys.map(([key, { schema: inner, required }]) => (
        <li key={key}>
          <span className="mono">{key}</span> <span className="soft">{typeText(inner, root)}</span>
          {required && <span className={styles.required}> required</span>}
          {inner.default !== undefined && (
            <span className="soft"> default {JSON.stringify(inner.default)}</span>
          )}
          {inner.description && <div className="small soft">{inner.description}</div>}
          {inside(inner, root) && (
            <SchemaTree schema={inside(inner, root)!} root={root} depth={depth + 1} />
          )}
        </li>
      ))}
    </ul>
  )
}

function typeText(schema: Schema, root: Schema): string {
  return schema.properties ? '' : expected(schema, root)
}

/** What is worth opening below a key: a mapping, or the mappings of a list. */
function inside(schema: Schema, root: Schema): Schema | null {
  if (schema.properties && Object.keys(schema.properties).length) return schema
  const items = schema.items && resolved(schema.items, root)
  return items?.properties ? items : null
}
