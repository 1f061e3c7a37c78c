import { Unplug } from 'lucide-react'

import { useConnection } from '@/live/live'
import styles from './ConnectionBanner.module.css'

/** Says that what is shown may be old. */
export function ConnectionBanner() {
  const connection = useConnection()
  if (connection !== 'lost') return null
  return (
    <div className={styles.banner} role="status">
      <Unplug size={15} aria-hidden />
      Disconnected: what you see may be old. Trying again…
    </div>
  )
}
