/** The frame of a page: its title, what it is within, what can be done on it. */
import { useEffect, type ReactNode } from 'react'

import styles from './Page.module.css'

/** A page. `title` is also the browser's; `within` are links to what it belongs to. */
export function Page({
  title,
  heading,
  within,
  actions,
  wide = false,
  children,
}: {
  title: string
  /** Shown instead of the title. */
  heading?: ReactNode
  within?: ReactNode
  actions?: ReactNode
  /** Without margins: the content reaches the edges. */
  wide?: boolean
  children: ReactNode
}) {
  useTitle(title)
  return (
    <div className={wide ? styles.wide : styles.page}>
      <header className={styles.header}>
        <div className={styles.heading}>
          {within && <div className={styles.within}>{within}</div>}
          <h1 className="break">{heading ?? title}</h1>
        </div>
        {actions && <div className="row">{actions}</div>}
      </header>
      {children}
    </div>
  )
}

/** Name the tab. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · Backfill`
  }, [title])
}
