import { useId, useState } from 'react'

import type { Schemas } from '@/api/client'
import { TagList } from '@/parts/TagList'
import { YamlView } from '@/parts/YamlView'
import styles from './launch.module.css'

/** The config and the tags that the run of any partition would get. */
export function ConfigPreview({
  plan,
  partition,
  onPartition,
}: {
  plan: Schemas['Plan']
  partition: string | undefined
  onPartition: (key: string | undefined) => void
}) {
  const id = useId()
  const [typed, type] = useState({ of: partition, text: partition ?? '' })
  if (typed.of !== partition) type({ of: partition, text: partition ?? '' })
  const { config } = plan
  const ask = () => onPartition(typed.text.trim() || undefined)
  return (
    <div className={styles.block}>
      <div className="field">
        <label htmlFor={id}>Config of partition</label>
        <input
          id={id}
          type="text"
          className="mono"
          spellCheck={false}
          placeholder={config?.partition ?? plan.first}
          value={typed.text}
          onChange={(event) => type({ of: partition, text: event.target.value })}
          onKeyDown={(event) => event.key === 'Enter' && ask()}
          onBlur={ask}
        />
      </div>
      {config ? (
        <>
          <div className={styles.config}>
            <YamlView value={config.config} empty="Empty." />
          </div>
          {config.errors.map((error, n) => (
            <div key={n} className="small error-text break">
              {error.message}
            </div>
          ))}
          <TagList tags={{ ...config.tags, ...plan.tags }} />
        </>
      ) : (
        <span className="soft small">Its function does not answer with a config.</span>
      )}
    </div>
  )
}
