import { Plus, X } from 'lucide-react'

import { Button } from '@/parts/Button'
import styles from './Playground.module.css'

type Tag = readonly [string, string]

/** Tags as rows of key and value. */
export function TagsEditor({
  tags,
  onChange,
}: {
  tags: readonly Tag[]
  onChange: (tags: Tag[]) => void
}) {
  const replaced = (at: number, tag: Tag) => tags.map((old, index) => (index === at ? tag : old))
  return (
    <div className={styles.tags}>
      {tags.map(([key, value], index) => (
        <div key={index} className={styles.tagRow}>
          <input
            aria-label={`Key of tag ${index + 1}`}
            value={key}
            placeholder="key"
            onChange={(event) => onChange(replaced(index, [event.target.value, value]))}
          />
          <input
            aria-label={`Value of tag ${index + 1}`}
            value={value}
            placeholder="value"
            onChange={(event) => onChange(replaced(index, [key, event.target.value]))}
          />
          <Button
            small
            kind="quiet"
            aria-label={`Remove tag ${key || index + 1}`}
            onClick={() => onChange(tags.filter((_, other) => other !== index))}
          >
            <X size={13} aria-hidden />
          </Button>
        </div>
      ))}
      <Button small onClick={() => onChange([...tags, ['', '']])}>
        <Plus size={13} aria-hidden /> Add a tag
      </Button>
    </div>
  )
}
