/** Who is asking, and what they may do. */
import { queryOptions, useQuery, useQueryClient, useMutation } from '@tanstack/react-query'

import { ROLES, type Role } from '@/states.generated'
import { ApiProblem, api, call, setCsrfToken, type Schemas } from './client'
import { forgetTags } from './tags'

/** The session, or null when the server wants a login. */
export const sessionQuery = queryOptions({
  queryKey: ['session'],
  queryFn: async ({ signal }): Promise<Schemas['Session'] | null> => {
    try {
      const session = await call(api.GET('/api/v1/session', { signal }))
      setCsrfToken(session.csrf_token)
      return session
    } catch (error) {
      if (error instanceof ApiProblem && error.status === 401) return null
      throw error
    }
  },
  staleTime: 5 * 60_000,
})

/** Say whether whoever is asking has this role; viewer while that is not known. */
export function useMay(needed: Role): boolean {
  const { data } = useQuery(sessionQuery)
  return ROLES.indexOf(data?.role ?? 'viewer') >= ROLES.indexOf(needed)
}

/** Make a browser session of a token. */
export function useLogIn() {
  const client = useQueryClient()
  return useMutation({
    mutationFn: (token: string) => call(api.POST('/api/v1/session', { body: { token } })),
    onSuccess: (session) => {
      setCsrfToken(session.csrf_token)
      forgetTags()
      client.removeQueries({ predicate: (query) => query.queryKey[0] !== 'session' })
      client.setQueryData(sessionQuery.queryKey, session)
    },
  })
}

/** End the browser session. */
export function useLogOut() {
  const client = useQueryClient()
  return useMutation({
    mutationFn: () => call(api.DELETE('/api/v1/session')),
    onSettled: () => {
      setCsrfToken(null)
      forgetTags()
      client.removeQueries({ predicate: (query) => query.queryKey[0] !== 'session' })
      client.setQueryData(sessionQuery.queryKey, null)
    },
  })
}
