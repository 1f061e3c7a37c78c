/** The graph of a pipeline's steps; each is a button. */
import { useMemo } from 'react'

import { layOut, pathThrough, shortened, type Arrow } from './layout'
import type { Pipeline } from './queries'
import styles from './StepGraph.module.css'

export default function StepGraph({
  pipeline,
  chosen,
  onChoose,
}: {
  pipeline: Pipeline
  chosen: string | undefined
  onChoose: (step: string) => void
}) {
  const layout = useMemo(
    () =>
      layOut(
        pipeline.steps.map((step) => step.name),
        pipeline.edges as unknown as Arrow[],
      ),
    [pipeline],
  )
  const isNear = (from: string, to: string) => chosen === from || chosen === to
  return (
    <div className={styles.scroll} tabIndex={0} role="group" aria-label="Graph of steps">
      <svg width={layout.width} height={layout.height} className={styles.graph}>
        <defs>
          <marker
            id="arrow-head"
            viewBox="0 0 8 8"
            refX="7"
            refY="4"
            markerWidth="9"
            markerHeight="9"
            markerUnits="userSpaceOnUse"
            orient="auto"
          >
            <path d="M 0 0 L 8 4 L 0 8 z" className={styles.head} />
          </marker>
        </defs>
        {layout.edges.map((edge) => (
          <path
            key={`${edge.from} ${edge.to}`}
            d={pathThrough(edge.points)}
            className={isNear(edge.from, edge.to) ? styles.near : styles.edge}
            markerEnd="url(#arrow-head)"
          >
            {edge.label && <title>{edge.label}</title>}
          </path>
        ))}
        {layout.nodes.map((node) => (
          <g
            key={node.name}
            transform={`translate(${node.x - node.width / 2} ${node.y - node.height / 2})`}
            className={node.name === chosen ? styles.chosen : styles.node}
            role="button"
            tabIndex={0}
            aria-pressed={node.name === chosen}
            aria-label={`Step ${node.name}`}
            onClick={() => onChoose(node.name)}
            onKeyDown={(event) => {
              if (event.key !== 'Enter' && event.key !== ' ') return
              event.preventDefault()
              onChoose(node.name)
            }}
          >
            <title>{node.name}</title>
            <rect width={node.width} height={node.height} rx={6} />
            <text x={node.width / 2} y={node.height / 2} dominantBaseline="central">
              {shortened(node.name)}
            </text>
          </g>
        ))}
      </svg>
    </div>
  )
}
