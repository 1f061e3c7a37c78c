/** Tabs whose choice is kept in the URL by whoever uses them. */
import { Tabs as RxTabs } from 'radix-ui'
import type { ReactNode } from 'react'

import styles from './Tabs.module.css'

/** `tabs` are [value, label, content]; the content of the chosen one is made only. */
export function Tabs<T extends string>({
  value,
  onChange,
  tabs,
  label,
}: {
  value: T
  onChange: (value: T) => void
  tabs: readonly (readonly [T, ReactNode, () => ReactNode])[]
  label: string
}) {
  return (
    <RxTabs.Root value={value} onValueChange={(next) => onChange(next as T)}>
      <RxTabs.List className={styles.list} aria-label={label}>
        {tabs.map(([name, words]) => (
          <RxTabs.Trigger key={name} value={name} className={styles.tab}>
            {words}
          </RxTabs.Trigger>
        ))}
      </RxTabs.List>
      {tabs.map(([name, , content]) => (
        <RxTabs.Content key={name} value={name} className={styles.content}>
          {name === value && content()}
        </RxTabs.Content>
      ))}
    </RxTabs.Root>
  )
}
