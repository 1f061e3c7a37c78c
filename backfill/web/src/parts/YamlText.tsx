import { Fragment } from 'react'
import { stringify } from 'yaml'

import styles from './YamlText.module.css'

const LINE = /^(\s*(?:- )*)((?:"[^"]*"|'[^']*'|[^\s"'#][^:#]*?):(?=\s|$))?(.*)$/

/** A value as YAML; keys and plain values are coloured. */
export default function YamlText({ value }: { value: Readonly<Record<string, unknown>> }) {
  const text = stringify(value, { lineWidth: 0 }).trimEnd()
  return (
    <pre className={styles.yaml} tabIndex={0} aria-label="Config as YAML">
      {text.split('\n').map((line, n) => {
        const [, lead = '', key = '', rest = ''] = LINE.exec(line) ?? []
        return (
          <Fragment key={n}>
            {lead}
            {key && <span className={styles.key}>{key}</span>}
            <span className={isPlain(rest) ? styles.plain : undefined}>{rest}</span>
            {'\n'}
          </Fragment>
        )
      })}
    </pre>
  )
}

function isPlain(text: string): boolean {
  return /^\s*(-?\d+(\.\d+)?(e[+-]?\d+)?|true|false|null)\s*$/.test(text)
}
