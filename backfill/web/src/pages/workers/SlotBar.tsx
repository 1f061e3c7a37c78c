import styles from './SlotBar.module.css'

/** How many of a worker's slots are busy. */
export function SlotBar({ busy, slots }: { busy: number; slots: number }) {
  return (
    <span className={styles.bar}>
      <meter
        className={styles.meter}
        min={0}
        max={Math.max(slots, 1)}
        value={Math.min(busy, slots)}
      >
        {busy} of {slots}
      </meter>
      <span>
        {busy} / {slots}
      </span>
    </span>
  )
}
