import { Link } from '@tanstack/react-router'
import { Rocket } from 'lucide-react'

import { useMay } from '@/api/session'
import { buttonClass } from '@/parts/Button'
import type { LaunchSearch } from './search'

/** Leads to the form that launches a backfill; says so where one may not. */
export function LaunchLink({
  search = {},
  primary = false,
  words = 'Launch backfill',
}: {
  search?: LaunchSearch
  primary?: boolean
  words?: string
}) {
  const may = useMay('operator')
  const look = buttonClass(primary && may ? 'primary' : 'plain')
  if (!may) {
    return (
      <button type="button" className={look} disabled title="Launching needs the role operator.">
        <Rocket size={15} aria-hidden />
        {words}
      </button>
    )
  }
  return (
    <Link to="/launch" search={search} className={look}>
      <Rocket size={15} aria-hidden />
      {words}
    </Link>
  )
}
