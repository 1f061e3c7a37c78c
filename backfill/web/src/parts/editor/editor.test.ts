import { describe, expect, it } from 'vitest'

import { suggestions } from './completion'
import { keysAt, sampleOf, valuesAt, type Schema } from './schema'
import { parseYaml, placeOf, readPath, removeExtra, scaffold, toYaml } from './yamlText'

const schema: Schema = {
  type: 'object',
  properties: {
    steps: { $ref: '#/$defs/steps' },
    solids: { $ref: '#/$defs/steps' },
    resources: { type: 'object', properties: {}, additionalProperties: false },
  },
  additionalProperties: false,
  oneOf: [{ required: ['steps'] }, { required: ['solids'] }],
  $defs: {
    steps: {
      type: 'object',
      properties: {
        load: {
          type: 'object',
          properties: {
            config: {
              type: 'object',
              properties: {
                day: { type: 'string', description: 'Which day.' },
                rows: { type: 'integer', default: 3 },
                mode: { enum: ['fast', 'careful'] },
                dry: { type: 'boolean' },
                tables: {
                  type: 'array',
                  items: { type: 'object', properties: { name: { type: 'string' } } },
                },
              },
              required: ['day', 'mode'],
              additionalProperties: false,
            },
          },
          required: ['config'],
          additionalProperties: false,
        },
        save: { type: 'object', properties: { config: {} }, additionalProperties: false },
      },
      required: ['load'],
      additionalProperties: false,
    },
  },
}

/** Suggest at the bar of a text. */
function at(text: string): { labels: string[]; first: string | undefined } {
  const place = text.indexOf('|')
  const found = suggestions(text.replace('|', ''), place, schema)
  return {
    labels: found?.options.map((option) => option.label) ?? [],
    first: found?.options[0]?.insert,
  }
}

describe('reading a config', () => {
  it('reads dates as the text they are', () => {
    expect(parseYaml('steps:\n  load: {config: {day: 2020-05-01}}').value).toEqual({
      steps: { load: { config: { day: '2020-05-01' } } },
    })
  })
  it('takes an empty text for an empty config', () => {
    expect(parseYaml('  \n# nothing yet').value).toEqual({})
  })
  it('says where a text cannot be read', () => {
    const { value, problems } = parseYaml('a: [1, 2\nb: 3')
    expect(value).toBeNull()
    expect(problems[0]?.from).toBeGreaterThan(0)
  })
  it('refuses what is no mapping', () => {
    expect(parseYaml('- 1').problems[0]?.message).toContain('mapping')
  })
  it('writes what it reads', () => {
    const value = { steps: { load: { config: { day: '2020-05-01', rows: 3 } } } }
    expect(parseYaml(toYaml(value)).value).toEqual(value)
  })
})

describe('finding a path in the text', () => {
  const text = 'steps:\n  load:\n    config:\n      day: x\n      tables:\n        - name: 5\n'
  it('reads paths as the server writes them', () => {
    expect(readPath("steps.load.config.rows[3]['odd key']")).toEqual([
      'steps', 'load', 'config', 'rows', 3, 'odd key',
    ]) // prettier-ignore
  })
  it('marks the key', () => {
    const { from, to } = placeOf(text, ['steps', 'load', 'config', 'day'])
    expect(text.slice(from, to)).toBe('day')
  })
  it('marks what is around a key that is missing', () => {
    const { from, to } = placeOf(text, ['steps', 'load', 'config', 'mode'])
    expect(text.slice(from, to)).toBe('config')
  })
  it('marks a key inside a list', () => {
    const { from, to } = placeOf(text, ['steps', 'load', 'config', 'tables', 0, 'name'])
    expect(text.slice(from, to)).toBe('name')
  })
})

describe('completing a config', () => {
  it('adds what is missing and keeps what is there, with its comments', () => {
    const done = scaffold('steps:\n  load:\n    config:\n      day: monday # really\n', schema)
    expect(parseYaml(done).value).toEqual({
      steps: { load: { config: { day: 'monday', mode: 'fast' } } },
    })
    expect(done).toContain('# really')
  })
  it('begins an empty config', () => {
    expect(parseYaml(scaffold('', schema)).value).toEqual({
      steps: { load: { config: { day: '', mode: 'fast' } } },
    })
  })
  it('leaves the other name of steps alone', () => {
    expect(parseYaml(scaffold('solids: {}', schema)).value).toEqual({
      solids: { load: { config: { day: '', mode: 'fast' } } },
    })
  })
  it('removes what nobody asked for, at any depth', () => {
    const done = removeExtra(
      'other: 1\nsteps:\n  load:\n    config: {day: a, mode: fast, more: 2}\n  gone: {}\n',
      schema,
    )
    expect(parseYaml(done).value).toEqual({
      steps: { load: { config: { day: 'a', mode: 'fast' } } },
    })
  })
  it('keeps a config that is free to hold anything', () => {
    const text = 'steps:\n  save:\n    config:\n      any: {thing: 1}\n'
    expect(parseYaml(removeExtra(text, schema)).value).toEqual(parseYaml(text).value)
  })
  it('makes samples that fit', () => {
    expect(sampleOf(schema, schema)).toEqual({
      steps: { load: { config: { day: '', mode: 'fast' } } },
    })
  })
})

describe('suggesting', () => {
  it('names the keys at the top', () => {
    expect(at('|').labels).toEqual(['steps', 'solids', 'resources'])
  })
  it('names the keys of where the cursor stands', () => {
    expect(at('steps:\n  |').labels).toEqual(['load', 'save'])
    expect(at('steps:\n  load:\n    config:\n      d|').labels).toEqual([
      'day', 'mode', 'rows', 'dry', 'tables',
    ]) // prettier-ignore
  })
  it('leaves out the keys that are there, above and below', () => {
    expect(at('steps:\n  |\n  load:\n    config: {}\n').labels).toEqual(['save'])
    expect(at('steps:\n  save:\n  |').labels).toEqual(['load'])
  })
  it('opens a mapping on a line of its own', () => {
    expect(at('steps:\n  load:\n    |').first).toBe('config:\n      ')
  })
  it('names values that can be listed', () => {
    expect(at('steps:\n  load:\n    config:\n      mode: |').labels).toEqual(['fast', 'careful'])
    expect(at('steps:\n  load:\n    config:\n      dry: t|').labels).toEqual(['true', 'false'])
  })
  it('knows the keys of the items of a list', () => {
    expect(at('steps:\n  load:\n    config:\n      tables:\n        - |').labels).toEqual(['name'])
  })
  it('follows references and lists keys and values by path', () => {
    expect([...keysAt(schema, ['solids', 'load']).keys()]).toEqual(['config'])
    expect(valuesAt(schema, ['steps', 'load', 'config', 'rows'])).toEqual([3])
  })
})
