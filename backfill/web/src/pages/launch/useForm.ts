/** The form between the fields and the URL: typed at once, written to the URL when it stands still. */
import { useNavigate } from '@tanstack/react-router'
import { useEffect, useState } from 'react'

import { only } from '@/parts/search'
import { launchRoute } from './routes'
import type { LaunchSearch } from './search'

const STILL_MS = 300

interface State {
  form: LaunchSearch
  /** The URL as it was when last looked at, and as it was last written; as text. */
  seen: string
  written: string
}

/** Return the form, what changes fields of it, and the form as it last stood still. */
export function useForm(): [LaunchSearch, (change: LaunchSearch) => void, LaunchSearch] {
  const url = launchRoute.useSearch()
  const navigate = useNavigate({ from: launchRoute.fullPath })
  const [state, set] = useState<State>(() => {
    const text = asText(url)
    return { form: url, seen: text, written: text }
  })
  const now = asText(url)
  if (now !== state.seen) {
    const isOurs = now === state.written
    set({ form: isOurs ? state.form : url, seen: now, written: now })
  }
  const { form } = state
  useEffect(() => {
    const text = asText(form)
    if (text === now) return
    const timer = window.setTimeout(() => {
      set((old) => ({ ...old, written: text }))
      void navigate({ search: form, replace: true })
    }, STILL_MS)
    return () => window.clearTimeout(timer)
  }, [form, now, navigate])
  const change = (changed: LaunchSearch) => {
    set((old) => ({ ...old, form: merged(old.form, changed) }))
  }
  return [form, change, url]
}

/** Put changes over a form; undefined takes a field out. */
export function merged(form: LaunchSearch, changed: LaunchSearch): LaunchSearch {
  return only({ ...form, ...changed })
}

function asText(form: LaunchSearch): string {
  return JSON.stringify(Object.entries(form).sort(([a], [b]) => (a < b ? -1 : 1)))
}
