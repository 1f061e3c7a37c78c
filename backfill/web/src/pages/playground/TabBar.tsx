import { Plus, X } from 'lucide-react'

import styles from './Playground.module.css'
import { nameOf, type Tabs } from './tabs'

/** The open tabs; each can be closed. */
export function TabBar({
  tabs,
  onChoose,
  onClose,
  onNew,
}: {
  tabs: Tabs
  onChoose: (id: string) => void
  onClose: (id: string) => void
  onNew: () => void
}) {
  return (
    <div className={styles.tabs}>
      {tabs.tabs.map((tab) => (
        <span key={tab.id} className={tab.id === tabs.chosen ? styles.chosenTab : styles.tab}>
          <button
            type="button"
            className={styles.tabName}
            aria-current={tab.id === tabs.chosen ? 'true' : undefined}
            onClick={() => onChoose(tab.id)}
          >
            {nameOf(tab)}
          </button>
          <button
            type="button"
            className={styles.tabClose}
            aria-label={`Close ${nameOf(tab)}`}
            onClick={() => onClose(tab.id)}
          >
            <X size={13} aria-hidden />
          </button>
        </span>
      ))}
      <button type="button" className={styles.newTab} onClick={onNew} aria-label="New tab">
        <Plus size={15} aria-hidden />
      </button>
    </div>
  )
}
