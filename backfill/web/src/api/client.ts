/** The typed client of the API: problems are thrown, sessions and entity tags are taken care of. */
import createClient, { type Middleware } from 'openapi-fetch'

import type { components, paths } from './schema.generated'
import { fetchTagged } from './tags'

export type Schemas = components['schemas']

/** An answer that is an error: a problem document, or what stands for one when none came. */
export class ApiProblem extends Error {
  readonly status: number
  readonly code: string
  /** Further fields of the document, such as `errors`. */
  readonly facts: Readonly<Record<string, unknown>>

  constructor(status: number, code: string, detail: string, facts: Record<string, unknown> = {}) {
    super(detail)
    this.name = 'ApiProblem'
    this.status = status
    this.code = code
    this.facts = facts
  }
}

/** The server cannot be reached, or not now. */
export function isUnreachable(error: unknown): boolean {
  return (
    error instanceof ApiProblem &&
    (error.status === 0 || error.status === 502 || error.status === 504)
  )
}

let csrfToken: string | null = null
let onUnauthorized: () => void = () => undefined

/** Remember the token that changes by this browser session need. */
export function setCsrfToken(token: string | null): void {
  csrfToken = token
}

/** Say what happens when the server asks who is there. */
export function whenUnauthorized(act: () => void): void {
  onUnauthorized = act
}

const session: Middleware = {
  onRequest({ request }) {
    if (csrfToken && request.method !== 'GET') request.headers.set('X-CSRF-Token', csrfToken)
    return request
  },
}

export const api = createClient<paths>({ baseUrl: '', fetch: fetchTagged })
api.use(session)

interface Answer<T> {
  data?: T
  error?: unknown
  response: Response
}

/**
 * Return what an answer holds.
 *
 * `call(api.GET('/api/v1/backfills', { params: { query: { limit: 50 } }, signal }))`
 *
 * @throws ApiProblem when it is an error, or none came.
 */
export async function call<T>(asked: Promise<Answer<T>>): Promise<T> {
  let answer: Answer<T>
  try {
    answer = await asked
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error
    throw new ApiProblem(0, 'unreachable', 'The server cannot be reached.')
  }
  if (answer.response.ok) return answer.data as T
  const problem = problemOf(answer.response.status, answer.error)
  if (problem.status === 401 && problem.code === 'unauthorized') onUnauthorized()
  throw problem
}

/** Return the problem that a body holds. */
export function problemOf(status: number, body: unknown): ApiProblem {
  if (typeof body === 'object' && body !== null && 'detail' in body && 'code' in body) {
    const { code, detail, ...facts } = body as Record<string, unknown>
    return new ApiProblem(status, String(code), String(detail), facts)
  }
  return new ApiProblem(status, 'unknown', `The server answered ${status} without a reason.`)
}
