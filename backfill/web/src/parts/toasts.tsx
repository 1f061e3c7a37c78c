/** Short messages at the edge: `toast('Backfill 12 was submitted.')`. */
import { X } from 'lucide-react'
import { Toast } from 'radix-ui'
import { useSyncExternalStore, type ReactNode } from 'react'

import styles from './toasts.module.css'

interface Shown {
  id: number
  text: ReactNode
  bad: boolean
}

let shown: readonly Shown[] = []
let nextId = 1
const watchers = new Set<() => void>()

/** Show a message for a few seconds. */
export function toast(text: ReactNode, { bad = false }: { bad?: boolean } = {}): void {
  become([...shown.slice(-3), { id: nextId++, text, bad }])
}

/** Show an error as a message. */
export function toastError(error: Error): void {
  toast(error.message, { bad: true })
}

/** Where messages appear; once per app. */
export function Toasts() {
  const all = useSyncExternalStore(watch, () => shown)
  return (
    <Toast.Provider swipeDirection="right" duration={8000}>
      {all.map((one) => (
        <Toast.Root
          key={one.id}
          className={`${styles.toast} ${one.bad ? styles.bad : ''}`}
          type={one.bad ? 'foreground' : 'background'}
          onOpenChange={(open) => !open && become(shown.filter((other) => other.id !== one.id))}
        >
          <Toast.Description className="break">{one.text}</Toast.Description>
          <Toast.Close className={styles.close} aria-label="Dismiss">
            <X size={16} aria-hidden />
          </Toast.Close>
        </Toast.Root>
      ))}
      <Toast.Viewport className={styles.viewport} />
    </Toast.Provider>
  )
}

function watch(watcher: () => void): () => void {
  watchers.add(watcher)
  return () => watchers.delete(watcher)
}

function become(now: readonly Shown[]): void {
  shown = now
  watchers.forEach((watcher) => watcher())
}
