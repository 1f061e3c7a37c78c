/** Entity tags: what did not change since it was last asked for is not sent again. */

const REMEMBERED = 48
const known = new Map<string, { tag: string; body: string; type: string }>()

/** Fetch, sending back the tag of what is known; a 304 becomes the answer that is known. */
export async function fetchTagged(request: Request): Promise<Response> {
  if (request.method !== 'GET') return fetch(request)
  const found = known.get(request.url)
  if (found) request.headers.set('If-None-Match', found.tag)
  const response = await fetch(request)
  if (response.status === 304 && found) {
    remember(request.url, found)
    return new Response(found.body, { status: 200, headers: { 'Content-Type': found.type } })
  }
  const tag = response.headers.get('ETag')
  const type = response.headers.get('Content-Type') ?? ''
  if (!response.ok || !tag || !type.startsWith('application/json')) return response
  const body = await response.text()
  remember(request.url, { tag, body, type })
  return new Response(body, { status: 200, headers: response.headers })
}

/** Forget everything: somebody else may be asking now. */
export function forgetTags(): void {
  known.clear()
}

function remember(url: string, value: { tag: string; body: string; type: string }): void {
  known.delete(url)
  known.set(url, value)
  const oldest = known.keys().next()
  if (known.size > REMEMBERED && !oldest.done) known.delete(oldest.value)
}
