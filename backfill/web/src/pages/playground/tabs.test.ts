import { describe, expect, it } from 'vitest'

import { changed, emptyTab, keepTabs, keptTabs, nameOf, withoutTab, withTab } from './tabs'

function storage(text: string | null = null) {
  let kept = text
  return {
    getItem: () => kept,
    setItem: (_: string, value: string) => {
      kept = value
    },
  }
}

describe('the tabs of the Playground', () => {
  it('begin with an empty one', () => {
    const { tabs, chosen } = keptTabs(storage(), 'sales')
    expect(tabs).toHaveLength(1)
    expect(tabs[0]!.id).toBe(chosen)
    expect(nameOf(tabs[0]!)).toBe('sales')
  })
  it('are what was kept', () => {
    const browser = storage()
    let tabs = keptTabs(browser, 'sales')
    tabs = changed(tabs, tabs.chosen, {
      config: 'steps: {}',
      set: 'daily',
      partition: '2020-05-01',
    })
    keepTabs(browser, tabs)
    expect(keptTabs(browser, 'other')).toEqual(tabs)
    expect(nameOf(tabs.tabs[0]!)).toBe('sales · 2020-05-01')
  })
  it('survive what cannot be read', () => {
    for (const text of ['{', '[]', '{"tabs":[1,null,{"id":2}]}', 'null']) {
      expect(keptTabs(storage(text), 'sales').tabs).toHaveLength(1)
    }
  })
  it('survive a browser that keeps nothing', () => {
    const full = {
      setItem: () => {
        throw new Error('full')
      },
    }
    expect(() => keepTabs(full, keptTabs(storage(), 'sales'))).not.toThrow()
  })
  it('choose the neighbour of a closed tab', () => {
    let tabs = keptTabs(storage(), 'a')
    const [b, c] = [emptyTab('b'), emptyTab('c')]
    tabs = withTab(withTab(tabs, b), c)
    expect(tabs.chosen).toBe(c.id)
    tabs = withoutTab(tabs, c.id)
    expect(tabs.chosen).toBe(b.id)
    expect(withoutTab(tabs, tabs.tabs[0]!.id).chosen).toBe(b.id)
  })
  it('are never none', () => {
    const tabs = keptTabs(storage(), 'a')
    expect(withoutTab(tabs, tabs.chosen).tabs).toHaveLength(1)
  })
})
