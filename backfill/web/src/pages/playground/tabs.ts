/** The tabs of the Playground: kept in the browser, so that nothing typed is lost. */

export interface PlaygroundTab {
  id: string
  pipeline: string
  set: string | null
  partition: string | null
  /** The run config as YAML, as it was typed. */
  config: string
  tags: readonly (readonly [string, string])[]
  /** Names of steps; empty: those of the partition set, or all. */
  steps: readonly string[]
  /** The version of the pipeline that the config was filled in with. */
  version: string | null
}

export interface Tabs {
  tabs: readonly PlaygroundTab[]
  chosen: string
}

const KEY = 'backfill.playground'
const MOST = 30

/** Return the tabs that were kept; one empty tab when there are none, or they cannot be read. */
export function keptTabs(storage: Pick<Storage, 'getItem'>, pipeline: string): Tabs {
  const kept = readTabs(storage.getItem(KEY))
  if (kept?.tabs.length) return kept
  const first = emptyTab(pipeline)
  return { tabs: [first], chosen: first.id }
}

/** Keep the tabs; a browser that is full or forbids it keeps none. */
export function keepTabs(storage: Pick<Storage, 'setItem'>, tabs: Tabs): void {
  try {
    storage.setItem(KEY, JSON.stringify(tabs))
  } catch {
    // Only what is typed is lost on a reload.
  }
}

export function emptyTab(pipeline: string): PlaygroundTab {
  return {
    id: crypto.randomUUID(),
    pipeline,
    set: null,
    partition: null,
    config: '',
    tags: [],
    steps: [],
    version: null,
  }
}

/** Add a tab and choose it; the oldest goes when there are too many. */
export function withTab(tabs: Tabs, tab: PlaygroundTab): Tabs {
  return { tabs: [...tabs.tabs, tab].slice(-MOST), chosen: tab.id }
}

/** Close a tab; its neighbour is chosen. The last one becomes empty instead. */
export function withoutTab(tabs: Tabs, id: string): Tabs {
  const place = tabs.tabs.findIndex((tab) => tab.id === id)
  if (place < 0) return tabs
  const rest = tabs.tabs.filter((tab) => tab.id !== id)
  if (!rest.length) {
    const tab = emptyTab(tabs.tabs[place]!.pipeline)
    return { tabs: [tab], chosen: tab.id }
  }
  if (tabs.chosen !== id) return { ...tabs, tabs: rest }
  return { tabs: rest, chosen: rest[Math.min(place, rest.length - 1)]!.id }
}

export function changed(tabs: Tabs, id: string, change: Partial<PlaygroundTab>): Tabs {
  return {
    ...tabs,
    tabs: tabs.tabs.map((tab) => (tab.id === id ? { ...tab, ...change } : tab)),
  }
}

/** What a tab is called. */
export function nameOf(tab: PlaygroundTab): string {
  if (tab.partition) return `${tab.pipeline} · ${tab.partition}`
  return tab.pipeline || 'New'
}

function readTabs(text: string | null): Tabs | null {
  if (!text) return null
  try {
    const found = JSON.parse(text) as Partial<Tabs>
    const tabs = (found.tabs ?? []).filter(isTab)
    const chosen = tabs.some((tab) => tab.id === found.chosen) ? found.chosen! : tabs[0]?.id
    return chosen === undefined ? null : { tabs, chosen }
  } catch {
    return null
  }
}

function isTab(value: unknown): value is PlaygroundTab {
  const tab = value as PlaygroundTab | null
  return (
    typeof tab === 'object' &&
    tab !== null &&
    typeof tab.id === 'string' &&
    typeof tab.pipeline === 'string' &&
    typeof tab.config === 'string' &&
    Array.isArray(tab.tags) &&
    Array.isArray(tab.steps)
  )
}
