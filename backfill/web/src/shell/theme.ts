/** Light, dark, or as the system has it; kept in the browser. */
import { useSyncExternalStore } from 'react'

export type Theme = 'system' | 'light' | 'dark'

const KEY = 'backfill.theme'
const watchers = new Set<() => void>()
const system = window.matchMedia('(prefers-color-scheme: dark)')
system.addEventListener('change', tell)

/** The chosen theme, and what chooses another. */
export function useTheme(): [Theme, (theme: Theme) => void] {
  return [useSyncExternalStore(watch, chosen), choose]
}

/** Whether dark is shown now: canvases must know. */
export function useDark(): boolean {
  return useSyncExternalStore(watch, () => {
    const theme = chosen()
    return theme === 'system' ? system.matches : theme === 'dark'
  })
}

function chosen(): Theme {
  const now = document.documentElement.dataset['theme']
  return now === 'light' || now === 'dark' ? now : 'system'
}

function choose(theme: Theme): void {
  if (theme === 'system') delete document.documentElement.dataset['theme']
  else document.documentElement.dataset['theme'] = theme
  try {
    if (theme === 'system') localStorage.removeItem(KEY)
    else localStorage.setItem(KEY, theme)
  } catch {
    // No storage: it lasts until the tab is closed.
  }
  tell()
}

function watch(watcher: () => void): () => void {
  watchers.add(watcher)
  return () => watchers.delete(watcher)
}

function tell(): void {
  watchers.forEach((watcher) => watcher())
}
