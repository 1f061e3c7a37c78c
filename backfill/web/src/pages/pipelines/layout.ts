/** Where the steps of a graph are drawn: layers from left to right. */
import dagre from '@dagrejs/dagre'

export interface Node {
  name: string
  x: number
  y: number
  width: number
  height: number
}

export interface Edge {
  from: string
  to: string
  /** What flows, where it is more than the usual `result`. */
  label: string
  points: { x: number; y: number }[]
}

export interface Layout {
  nodes: Node[]
  edges: Edge[]
  width: number
  height: number
}

export interface Arrow {
  from_step: string
  from_output: string | null
  to_step: string
  to_input: string | null
}

interface GraphSize {
  width?: number
  height?: number
  rankdir?: string
  nodesep?: number
  ranksep?: number
  marginx?: number
  marginy?: number
}

interface Box {
  x?: number
  y?: number
  width?: number
  height?: number
}

interface Bend {
  points?: { x: number; y: number }[]
}

const HEIGHT = 40
const CHARACTER = 7.6
const MARGIN = 16

/** Lay a graph out. Coordinates are pixels; those of nodes are their centres. */
export function layOut(steps: readonly string[], arrows: readonly Arrow[]): Layout {
  const graph = new dagre.graphlib.Graph<GraphSize, Box, Bend>({ multigraph: false })
  graph.setGraph({ rankdir: 'LR', nodesep: 18, ranksep: 56, marginx: MARGIN, marginy: MARGIN })
  graph.setDefaultEdgeLabel(() => ({}))
  for (const name of steps) {
    graph.setNode(name, { width: widthOf(name), height: HEIGHT })
  }
  const known = new Set(steps)
  const labels = new Map<string, Set<string>>()
  for (const arrow of arrows) {
    if (!known.has(arrow.from_step) || !known.has(arrow.to_step)) continue
    const key = JSON.stringify([arrow.from_step, arrow.to_step])
    const flowing = labels.get(key) ?? new Set()
    if (arrow.from_output && arrow.from_output !== 'result') flowing.add(arrow.from_output)
    labels.set(key, flowing)
    graph.setEdge(arrow.from_step, arrow.to_step)
  }
  dagre.layout(graph)
  const size = graph.graph()
  return {
    nodes: steps.map((name) => ({ name, ...pick(graph.node(name)) })),
    edges: graph.edges().map(({ v, w }) => ({
      from: v,
      to: w,
      label: [...(labels.get(JSON.stringify([v, w])) ?? [])].join(', '),
      points: graph.edge({ v, w }).points ?? [],
    })),
    width: Math.ceil(size.width ?? 0),
    height: Math.ceil(size.height ?? 0),
  }
}

/** A smooth path through points. */
export function pathThrough(points: readonly { x: number; y: number }[]): string {
  if (!points.length) return ''
  const [first, ...rest] = points
  let path = `M ${first!.x} ${first!.y}`
  let before = first!
  for (const point of rest) {
    const middle = (before.x + point.x) / 2
    path += ` C ${middle} ${before.y}, ${middle} ${point.y}, ${point.x} ${point.y}`
    before = point
  }
  return path
}

/** Shorten a name that would make a box too wide. */
export function shortened(name: string, most = 34): string {
  return name.length <= most ? name : `${name.slice(0, most - 1)}…`
}

function widthOf(name: string): number {
  return Math.max(84, shortened(name).length * CHARACTER + 28)
}

function pick(node: Box) {
  return {
    x: node.x ?? 0,
    y: node.y ?? 0,
    width: node.width ?? 0,
    height: node.height ?? 0,
  }
}
