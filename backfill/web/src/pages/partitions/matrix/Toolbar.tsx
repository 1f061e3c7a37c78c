/** What narrows and colours the matrix. */
import { Button } from '@/parts/Button'
import { Filters, TextFilter } from '@/parts/filters'
import type { MatrixSearch } from './search'
import styles from './Toolbar.module.css'

const STATUSES = ['missing', 'failed', 'running', 'succeeded', 'canceled', 'blocked', 'stale']

export function Toolbar({
  search,
  onChange,
}: {
  search: MatrixSearch
  onChange: (change: Partial<MatrixSearch>) => void
}) {
  const isNarrowed = search.select ?? search.gaps ?? search.backfill ?? search.tag
  const clear = () =>
    onChange({ select: undefined, gaps: undefined, backfill: undefined, tag: undefined })
  return (
    <Filters label="What the matrix shows" onClear={isNarrowed ? clear : null}>
      <TextFilter
        label="Partitions"
        value={search.select}
        options={STATUSES}
        placeholder="all, failed, [a...b]"
        width={190}
        onChange={(select) => onChange({ select })}
      />
      <TextFilter
        label="Backfill"
        value={search.backfill}
        width={80}
        onChange={(backfill) => onChange({ backfill: /^\d+$/.exec(backfill ?? '')?.[0] })}
      />
      <TextFilter
        label="Run tag"
        value={search.tag?.[0]}
        placeholder="name=value"
        width={120}
        onChange={(tag) => onChange({ tag: tag?.includes('=') ? [tag] : undefined })}
      />
      <Switch
        on={search.gaps ?? false}
        words="Failures and gaps only"
        onChange={(on) => onChange({ gaps: on || undefined })}
      />
      <Switch
        on={search.previous ?? false}
        words="Previous status"
        onChange={(on) => onChange({ previous: on || undefined })}
      />
      <label className={styles.choice}>
        Colour
        <select
          value={search.colour ?? 'status'}
          onChange={({ target }) =>
            onChange({
              colour:
                target.value === 'age' || target.value === 'duration' ? target.value : undefined,
            })
          }
        >
          <option value="status">by status</option>
          <option value="age">by age</option>
          <option value="duration">by duration</option>
        </select>
      </label>
      <label className={styles.choice}>
        Columns
        <select
          value={search.size ?? 'normal'}
          onChange={({ target }) =>
            onChange({
              size: target.value === 'small' || target.value === 'large' ? target.value : undefined,
            })
          }
        >
          <option value="small">narrow</option>
          <option value="normal">normal</option>
          <option value="large">wide</option>
        </select>
      </label>
      <Button
        aria-pressed={search.view === 'table'}
        onClick={() => onChange({ view: search.view ? undefined : 'table' })}
      >
        {search.view ? 'As a matrix' : 'As a table'}
      </Button>
      <Button
        aria-pressed={search.graph ?? false}
        onClick={() => onChange({ graph: search.graph ? undefined : true })}
      >
        Durations
      </Button>
    </Filters>
  )
}

function Switch({
  on,
  words,
  onChange,
}: {
  on: boolean
  words: string
  onChange: (on: boolean) => void
}) {
  return (
    <label className={styles.switch}>
      <input type="checkbox" checked={on} onChange={({ target }) => onChange(target.checked)} />
      {words}
    </label>
  )
}
