/** Chooses one partition of a set of any size: type a part of its key. */
import { useQuery } from '@tanstack/react-query'
import { useId, useState, type KeyboardEvent } from 'react'

import { useDelayed } from '@/parts/delayed'
import styles from './PartitionPicker.module.css'
import { partitionsQuery } from './queries'

export function PartitionPicker({
  set,
  value,
  onChoose,
}: {
  set: string
  value: string | null
  onChoose: (partition: string) => void
}) {
  const id = useId()
  const [typed, setTyped] = useState<string | null>(null)
  const [at, setAt] = useState(0)
  const search = useDelayed(typed ?? '', 150)
  const open = typed !== null
  const found = useQuery({ ...partitionsQuery(set, search.trim()), enabled: open })
  const keys = found.data?.items.map((item) => item.key) ?? []
  const close = () => setTyped(null)
  const choose = (key: string) => {
    close()
    onChoose(key)
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'ArrowDown' && !open) setTyped('')
    else if (event.key === 'ArrowDown') setAt(Math.min(at + 1, keys.length - 1))
    else if (event.key === 'ArrowUp') setAt(Math.max(at - 1, 0))
    else if (event.key === 'Escape' && open) close()
    else if (event.key === 'Enter' && keys[at] !== undefined) choose(keys[at])
    else return
    event.preventDefault()
  }
  return (
    <div className={styles.picker}>
      <input
        id={id}
        role="combobox"
        aria-label="Partition"
        aria-expanded={open}
        aria-controls={`${id}-list`}
        aria-autocomplete="list"
        aria-activedescendant={open && keys[at] !== undefined ? `${id}-${at}` : undefined}
        autoComplete="off"
        spellCheck={false}
        placeholder="Partition: type to search"
        value={typed ?? value ?? ''}
        onFocus={(event) => event.target.select()}
        onClick={() => !open && setTyped('')}
        onChange={(event) => {
          setTyped(event.target.value)
          setAt(0)
        }}
        onBlur={close}
        onKeyDown={onKeyDown}
      />
      {open && (
        <ul id={`${id}-list`} role="listbox" aria-label="Partitions" className={styles.list}>
          {keys.map((key, index) => (
            <li
              key={key}
              id={`${id}-${index}`}
              role="option"
              aria-selected={index === at}
              className={index === at ? styles.active : styles.option}
              onMouseDown={(event) => {
                event.preventDefault() // the field keeps the focus
                choose(key)
              }}
              onMouseEnter={() => setAt(index)}
            >
              {key}
            </li>
          ))}
          <li className={styles.note} role="presentation">
            {noteOf(found.data?.count, keys.length, found.error)}
          </li>
        </ul>
      )}
    </div>
  )
}

function noteOf(count: number | undefined, shown: number, error: Error | null): string {
  if (error) return error.message
  if (count === undefined) return 'Searching…'
  if (!shown) return `None of ${count.toLocaleString()} partitions holds that.`
  return shown < count ? `${shown} of ${count.toLocaleString()}; type to narrow.` : ''
}
