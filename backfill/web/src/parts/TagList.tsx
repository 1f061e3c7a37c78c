import styles from './TagList.module.css'

/** Tags as small labels; `onPick` makes buttons of them. */
export function TagList({
  tags,
  onPick,
}: {
  tags: Readonly<Record<string, string>>
  onPick?: (name: string, value: string) => void
}) {
  const all = Object.entries(tags)
  if (!all.length) return <span className="soft">–</span>
  return (
    <ul className={styles.tags}>
      {all.map(([name, value]) => (
        <li key={name} className={styles.tag}>
          {onPick ? (
            <button
              type="button"
              className={styles.pick}
              title="Show what has this tag"
              onClick={() => onPick(name, value)}
            >
              <Tag name={name} value={value} />
            </button>
          ) : (
            <Tag name={name} value={value} />
          )}
        </li>
      ))}
    </ul>
  )
}

function Tag({ name, value }: { name: string; value: string }) {
  return (
    <>
      <span className={styles.name}>{name}</span>
      <span className="break">{value}</span>
    </>
  )
}
