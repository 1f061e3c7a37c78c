import { useQuery } from '@tanstack/react-query'

import { RunLink } from '@/parts/links'
import { Loaded } from '@/parts/Shown'
import { StateChip } from '@/parts/StateMark'
import { Duration, Time } from '@/parts/Time'
import { depths } from './lineage'
import styles from './Lineage.module.css'
import { lineageQuery, type Run } from './queries'

/** A run among those it re-executes and that re-execute it. */
export function Lineage({ run }: { run: Run }) {
  const lineage = useQuery(lineageQuery(run.id))
  return (
    <Loaded query={lineage}>
      {({ runs }) => {
        const deep = depths(runs)
        return (
          <div className="stack">
            {runs.length === 1 && (
              <p className="soft">It re-executes no other run, and none re-executes it.</p>
            )}
            <div className="panel scroll-x">
              <table>
                <thead>
                  <tr>
                    <th>Run</th>
                    <th>State</th>
                    <th>Executes</th>
                    <th>Created</th>
                    <th>Took</th>
                    <th>What went wrong</th>
                  </tr>
                </thead>
                <tbody>
                  {runs.map((one) => (
                    <tr key={one.id} className={one.id === run.id ? styles.this : undefined}>
                      <td style={{ paddingLeft: 12 + (deep.get(one.id) ?? 0) * 18 }}>
                        {(deep.get(one.id) ?? 0) > 0 && <span className="soft">↳ </span>}
                        {one.id === run.id ? (
                          <strong aria-current="true">{one.id} (this)</strong>
                        ) : (
                          <RunLink id={one.id} />
                        )}
                      </td>
                      <td>
                        <StateChip state={one.state} />
                      </td>
                      <td>{executes(one)}</td>
                      <td>
                        <Time at={one.created_at} />
                      </td>
                      <td>
                        <Duration from={one.started_at} to={one.finished_at} />
                      </td>
                      <td className="break">{one.error_message ?? one.reason}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          </div>
        )
      }}
    </Loaded>
  )
}

function executes(run: Run): string {
  if (run.mode === 'steps' || (run.steps && !run.mode)) return run.steps?.join(', ') ?? 'steps'
  return run.mode === 'from_failure' ? 'from failure' : 'everything'
}
