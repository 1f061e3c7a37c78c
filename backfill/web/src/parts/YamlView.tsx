/** A config to read: YAML with a little colour, and what it is when there is none. */
import { lazy, Suspense } from 'react'

const Text = lazy(() => import('./YamlText'))

export function YamlView({
  value,
  empty = 'Nothing.',
}: {
  value: Readonly<Record<string, unknown>> | null | undefined
  empty?: string
}) {
  if (!value || Object.keys(value).length === 0) return <span className="soft">{empty}</span>
  return (
    <Suspense fallback={<span className="soft">…</span>}>
      <Text value={value} />
    </Suspense>
  )
}
