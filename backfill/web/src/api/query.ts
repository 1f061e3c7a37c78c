/** The query client: when things are asked again, and how a query says what concerns it. */
import { QueryClient } from '@tanstack/react-query'

import type { Moves } from '@/live/moves'
import { ApiProblem, isUnreachable } from './client'

declare module '@tanstack/react-query' {
  interface Register {
    defaultError: Error
    queryMeta: {
      /** Say whether what moved concerns this query: then it is asked again. */
      live?: (moves: Moves) => boolean
      /** At most once in so many milliseconds; for what costs the server more. */
      every?: number
    }
  }
}

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 15_000, // live events tell of changes sooner
      gcTime: 60_000,
      retry: (times, error) => times < 2 && isPassing(error),
      refetchOnWindowFocus: false,
    },
    mutations: { retry: false },
  },
})

/** Say whether trying again may help. */
function isPassing(error: Error): boolean {
  return isUnreachable(error) || (error instanceof ApiProblem && error.status === 503)
}
