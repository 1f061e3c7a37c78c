import { CircleAlert } from 'lucide-react'

import type { Schemas } from '@/api/client'
import styles from './LoadProblems.module.css'

/** What of the definitions does not work; the rest does. */
export function LoadProblems({ problems }: { problems: readonly Schemas['LoadProblem'][] }) {
  if (!problems.length) return null
  return (
    <section className={styles.problems} role="alert" aria-label="Problems of the definitions">
      {problems.map((problem) => (
        <div key={problem.detail}>
          <CircleAlert size={15} aria-hidden /> <span className="break">{problem.detail}</span>
          {problem.traceback && (
            <details>
              <summary>Traceback</summary>
              <pre className={styles.trace}>{problem.traceback}</pre>
            </details>
          )}
        </div>
      ))}
    </section>
  )
}
