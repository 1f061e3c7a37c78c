/**
 * The one live stream of this tab. It resumes where it was lost, rests while the tab is hidden
 * (browsers allow few connections to one server), and tells queries at most every TELL_MS.
 */
import type { QueryClient } from '@tanstack/react-query'

import { Moves, type Told } from './moves'

export type Connection = 'connecting' | 'live' | 'lost'

const TELL_MS = 350
const HIDDEN_MS = 20_000
const FIRST_RETRY_MS = 1_000
const MAX_RETRY_MS = 15_000

export class LiveStream {
  #client: QueryClient
  #source: EventSource | null = null
  #lastId: string | null = null
  #moves = new Moves()
  #timer: number | null = null
  #retry: number | null = null
  #retryMs = FIRST_RETRY_MS
  #hidden: number | null = null
  #connection: Connection = 'connecting'
  #watchers = new Set<() => void>()
  #wanted = false

  constructor(client: QueryClient) {
    this.#client = client
  }

  /** Begin to listen; returns what ends it. */
  start(): () => void {
    this.#wanted = true
    document.addEventListener('visibilitychange', this.#onVisibility)
    this.#open()
    return () => {
      this.#wanted = false
      document.removeEventListener('visibilitychange', this.#onVisibility)
      this.#close()
    }
  }

  readonly watch = (watcher: () => void): (() => void) => {
    this.#watchers.add(watcher)
    return () => this.#watchers.delete(watcher)
  }

  readonly connection = (): Connection => this.#connection

  #open(): void {
    this.#close()
    const after = this.#lastId ? `?after=${encodeURIComponent(this.#lastId)}` : ''
    const source = new EventSource(`/api/v1/events${after}`)
    this.#source = source
    source.addEventListener('ready', (event) => {
      this.#lastId = event.lastEventId
      this.#retryMs = FIRST_RETRY_MS
      if (this.#connection === 'lost') this.#everythingAnew()
      this.#become('live')
    })
    source.addEventListener('moves', (event) => {
      this.#lastId = event.lastEventId
      this.#moves.add(JSON.parse(event.data as string) as Told)
      this.#tellSoon()
    })
    source.addEventListener('reset', (event) => {
      this.#lastId = event.lastEventId
      this.#everythingAnew()
    })
    source.onerror = () => {
      this.#become('lost')
      this.#close()
      if (!this.#wanted) return
      this.#retry = window.setTimeout(() => this.#open(), this.#retryMs)
      this.#retryMs = Math.min(this.#retryMs * 2, MAX_RETRY_MS)
    }
  }

  #close(): void {
    this.#source?.close()
    this.#source = null
    if (this.#retry !== null) window.clearTimeout(this.#retry)
    this.#retry = null
  }

  #onVisibility = (): void => {
    if (document.hidden) {
      this.#hidden = window.setTimeout(() => this.#close(), HIDDEN_MS)
      return
    }
    if (this.#hidden !== null) window.clearTimeout(this.#hidden)
    this.#hidden = null
    if (this.#source === null) this.#open()
  }

  #everythingAnew(): void {
    this.#moves.all = true
    this.#tellSoon()
  }

  #tellSoon(): void {
    if (this.#timer !== null) return
    this.#timer = window.setTimeout(() => {
      this.#timer = null
      this.#tell()
    }, TELL_MS)
  }

  /** Ask anew what moved; what is being asked just now is told of it again later. */
  #tell(): void {
    const moves = this.#moves
    this.#moves = new Moves()
    if (moves.isEmpty) return
    const busy = { now: false }
    const now = Date.now()
    void this.#client.invalidateQueries({
      predicate: (query) => {
        if (!query.meta?.live?.(moves)) return false
        const rests = now - query.state.dataUpdatedAt < (query.meta.every ?? 0)
        if (query.state.fetchStatus !== 'fetching' && !rests) return true
        busy.now ||= query.isActive()
        return false
      },
    })
    if (busy.now) this.#again(moves)
  }

  #again(moves: Moves): void {
    moves.runStates.forEach((state, run) => this.#moves.runStates.set(run, state))
    for (const part of ['backfills', 'runs', 'sets', 'logs'] as const) {
      moves[part].forEach((one) => this.#moves[part].add(one))
    }
    this.#moves.all ||= moves.all
    this.#moves.more ||= moves.more
    this.#tellSoon()
  }

  #become(connection: Connection): void {
    if (this.#connection === connection) return
    this.#connection = connection
    this.#watchers.forEach((watcher) => watcher())
  }
}
