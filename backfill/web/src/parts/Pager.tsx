/** Keyset paging: the cursor is in the URL, so the browser's back is the page before. */
import { Link } from '@tanstack/react-router'

import { buttonClass } from './Button'

/** Links to the first and the following page of a list; none when there is one page. */
export function Pager({
  cursor,
  next,
}: {
  cursor: string | undefined
  next: string | null | undefined
}) {
  if (!cursor && !next) return null
  return (
    <nav className="row" aria-label="Pages">
      {cursor && (
        <Link
          to="."
          search={(old: object) => ({ ...old, cursor: undefined })}
          className={buttonClass('plain', true)}
        >
          First page
        </Link>
      )}
      {next && (
        <Link
          to="."
          search={(old: object) => ({ ...old, cursor: next })}
          className={buttonClass('plain', true)}
        >
          Next page
        </Link>
      )}
    </nav>
  )
}
