import { describe, expect, it } from 'vitest'

import { layOut, pathThrough, shortened } from './layout'

const arrow = (from_step: string, to_step: string, from_output = 'result') => ({
  from_step,
  from_output,
  to_step,
  to_input: 'x',
})

describe('laying out a graph of steps', () => {
  it('puts each step right of what it waits for', () => {
    const { nodes } = layOut(['a', 'b', 'c'], [arrow('a', 'b'), arrow('b', 'c')])
    const [a, b, c] = nodes
    expect(a!.x + a!.width / 2).toBeLessThan(b!.x - b!.width / 2)
    expect(b!.x + b!.width / 2).toBeLessThan(c!.x - c!.width / 2)
  })
  it('keeps steps that have nothing to do with each other apart', () => {
    const { nodes, height } = layOut(['a', 'b'], [])
    expect(
      Math.abs(nodes[0]!.y - nodes[1]!.y) + Math.abs(nodes[0]!.x - nodes[1]!.x),
    ).toBeGreaterThan(30)
    expect(height).toBeGreaterThan(0)
  })
  it('draws one arrow for several outputs, and names them', () => {
    const { edges } = layOut(['a', 'b'], [arrow('a', 'b', 'rows'), arrow('a', 'b', 'errors')])
    expect(edges).toHaveLength(1)
    expect(edges[0]!.label).toBe('rows, errors')
  })
  it('leaves out arrows of steps that are not drawn', () => {
    expect(layOut(['a'], [arrow('a', 'b')]).edges).toEqual([])
  })
  it('lays out a thousand steps', () => {
    const names = Array.from({ length: 1000 }, (_, i) => `step_${i}`)
    const arrows = names.slice(1).map((name, i) => arrow(names[Math.floor(i / 4)]!, name))
    expect(layOut(names, arrows).nodes).toHaveLength(1000)
  })
  it('goes through every point', () => {
    expect(pathThrough([{ x: 0, y: 0 }, { x: 10, y: 4 }])).toBe('M 0 0 C 5 0, 5 4, 10 4') // prettier-ignore
  })
  it('shortens long names', () => {
    expect(shortened('x'.repeat(50))).toHaveLength(34)
  })
})
