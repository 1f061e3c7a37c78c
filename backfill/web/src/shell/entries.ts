/** What the navigation shows, in its order. Whoever adds a page for an entry adds it here. */
export interface NavigationEntry {
  to: string
  word: string
  icon:
    | 'home'
    | 'backfills'
    | 'runs'
    | 'sets'
    | 'pipelines'
    | 'playground'
    | 'schedules'
    | 'workers'
    | 'settings'
}

export const entries: readonly NavigationEntry[] = [
  { to: '/', word: 'Home', icon: 'home' },
  { to: '/backfills', word: 'Backfills', icon: 'backfills' },
  { to: '/runs', word: 'Runs', icon: 'runs' },
  { to: '/partition-sets', word: 'Partition sets', icon: 'sets' },
  { to: '/pipelines', word: 'Pipelines', icon: 'pipelines' },
  { to: '/playground', word: 'Playground', icon: 'playground' },
  { to: '/schedules', word: 'Schedules', icon: 'schedules' },
  { to: '/workers', word: 'Workers', icon: 'workers' },
  { to: '/settings', word: 'Settings', icon: 'settings' },
]
