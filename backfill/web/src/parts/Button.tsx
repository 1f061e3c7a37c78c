import type { ComponentProps } from 'react'

import styles from './Button.module.css'

type Kind = 'plain' | 'primary' | 'danger' | 'quiet'

/** A button; `primary` is the one thing a page is for. */
export function Button({
  kind = 'plain',
  small = false,
  className = '',
  ...rest
}: ComponentProps<'button'> & { kind?: Kind; small?: boolean }) {
  return <button type="button" {...rest} className={buttonClass(kind, small, className)} />
}

/** The same look for a link. */
export function buttonClass(kind: Kind = 'plain', small = false, more = ''): string {
  return `${styles.button} ${styles[kind] ?? ''} ${small ? styles.small : ''} ${more}`.trim()
}
