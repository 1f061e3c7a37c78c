/** The columns in sight as a table: for screen readers, for copying, for reading closely. */
import { Button } from '@/parts/Button'
import { StateChip } from '@/parts/StateMark'
import type { Place } from './Grid'
import { statusAt, type Column } from './columns'
import styles from './TableView.module.css'

const MOST = 50

export function TableView({
  at,
  sight,
  count,
  steps,
  rows,
  onOpen,
  onPage,
}: {
  at: (place: number) => Column | undefined
  sight: readonly [number, number]
  count: number
  steps: readonly string[]
  /** Places among the steps. */
  rows: readonly number[]
  onOpen: (place: Place) => void
  onPage: (first: number) => void
}) {
  const first = sight[0]
  const stop = Math.min(sight[0] + MOST, count)
  const places = Array.from({ length: Math.max(0, stop - first) }, (_, n) => first + n)
  return (
    <div className="panel">
      <div
        className={`scroll-x ${styles.scroll}`}
        tabIndex={0}
        role="region"
        aria-label="Partitions by step"
      >
        <table>
          <caption className="visually-hidden">
            Partitions {first + 1} to {stop} of {count}
          </caption>
          <thead>
            <tr>
              <th scope="col">Partition</th>
              <th scope="col">Run</th>
              {rows.map((step) => (
                <th key={steps[step]} scope="col">
                  {steps[step]}
                </th>
              ))}
              <th scope="col" className="number">
                Runs
              </th>
            </tr>
          </thead>
          <tbody>
            {places.map((place) => {
              const column = at(place)
              return (
                <tr key={column?.key ?? place}>
                  <th scope="row" className={`break ${styles.key}`}>
                    {column?.key ?? '…'}
                  </th>
                  <td>{column && <StateChip state={column.state} />}</td>
                  {rows.map((step, row) => (
                    <td key={step}>
                      {column && (
                        <button
                          type="button"
                          className={styles.box}
                          onClick={() => onOpen({ column: place, row: row + 1 })}
                        >
                          <StateChip state={statusAt(column, step)} />
                        </button>
                      )}
                    </td>
                  ))}
                  <td className="number">{column?.runs}</td>
                </tr>
              )
            })}
          </tbody>
        </table>
      </div>
      <div className={`row ${styles.pager}`}>
        <Button small disabled={first <= 0} onClick={() => onPage(Math.max(0, first - MOST))}>
          Earlier partitions
        </Button>
        <span className="soft small">
          {count ? `${first + 1} to ${stop} of ${count.toLocaleString()}` : 'none'}
        </span>
        <Button small disabled={stop >= count} onClick={() => onPage(Math.min(stop, count - 1))}>
          Later partitions
        </Button>
      </div>
    </div>
  )
}
