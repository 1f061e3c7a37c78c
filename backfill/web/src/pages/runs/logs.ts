/** A run's log as it is followed: pages are added behind those that are there. */
import { queryOptions } from '@tanstack/react-query'

import { api, call, type Schemas } from '@/api/client'
import { only } from '@/parts/search'

export const LEVELS = ['debug', 'info', 'warning', 'error'] as const
export type Level = (typeof LEVELS)[number]

export type LogLine = Schemas['LogLine']

export interface Log {
  lines: readonly LogLine[]
  next: string | undefined
  /** The run is final and everything is here. */
  ended: boolean
  /** There was more than one turn takes: ask again at once. */
  more: boolean
  /** Lines that were let go, for too many are there. */
  dropped: number
}

const PAGE = 1_000
const PAGES_A_TURN = 5
export const MOST_LINES = 50_000
const NOTHING: Log = { lines: [], next: undefined, ended: false, more: false, dropped: 0 }

export interface LogWanted {
  step?: string | undefined
  attempt?: number | undefined
}

/** The log so far; asked again, it goes on behind its last line. */
export function logQuery(run: string, wanted: LogWanted) {
  const queryKey = ['run', run, 'log', wanted] as const
  return queryOptions({
    queryKey,
    queryFn: async ({ signal, client }): Promise<Log> => {
      let log = client.getQueryData<Log>(queryKey) ?? NOTHING
      for (let n = 0; n < PAGES_A_TURN && !log.ended; n++) {
        const page = await logPage(run, wanted, log.next, signal)
        log = added(log, page)
        if (!log.more) break
      }
      return log
    },
    structuralSharing: false,
    staleTime: 0,
    gcTime: 5_000,
    meta: { live: (moves) => moves.ofLog(run) },
  })
}

/** Return a log with a page behind it. */
export function added(log: Log, page: Schemas['LogPage'], most = MOST_LINES): Log {
  const lines = page.items.length ? [...log.lines, ...page.items] : log.lines
  const excess = Math.max(0, lines.length - most)
  return {
    lines: excess ? lines.slice(excess) : lines,
    next: page.next ?? log.next,
    ended: page.ended,
    more: !page.ended && page.items.length >= PAGE,
    dropped: log.dropped + excess,
  }
}

/** Read the whole log as text, for a file. */
export async function wholeLog(run: string, wanted: LogWanted): Promise<string> {
  const parts: string[] = []
  for (let next: string | undefined, more = true; more;) {
    const page = await logPage(run, wanted, next)
    parts.push(...page.items.map(asText))
    next = page.next ?? undefined
    more = page.items.length >= PAGE
  }
  return parts.join('')
}

/** Keep the lines of a level and above that hold a text, whatever its case. */
export function fitting(
  lines: readonly LogLine[],
  level: Level | undefined,
  find: string | undefined,
): readonly LogLine[] {
  if (!level && !find) return lines
  const least = level ? rank(level) : -1
  const sought = find?.toLowerCase()
  return lines.filter(
    (line) =>
      rank(line.level) >= least &&
      (!sought ||
        line.message.toLowerCase().includes(sought) ||
        line.step?.toLowerCase().includes(sought)),
  )
}

/** How grave a level is; what is not known counts as info, what is worse as an error. */
export function rank(level: string): number {
  const known = LEVELS.findIndex((one) => one === level)
  if (known >= 0) return known
  return level === 'critical' ? LEVELS.length : LEVELS.indexOf('info')
}

/** Cut a text at every place where another one stands: odd parts are those. */
export function cutAt(text: string, sought: string): string[] {
  if (!sought) return [text]
  const parts: string[] = []
  const lower = text.toLowerCase()
  const wanted = sought.toLowerCase()
  let from = 0
  for (let at = lower.indexOf(wanted); at >= 0; at = lower.indexOf(wanted, from)) {
    parts.push(text.slice(from, at), text.slice(at, at + wanted.length))
    from = at + wanted.length
  }
  return [...parts, text.slice(from)]
}

function asText(line: LogLine): string {
  return `${line.at} ${line.attempt} ${line.step ?? '-'} ${line.level.toUpperCase()} ${line.message}\n`
}

function logPage(run: string, wanted: LogWanted, cursor: string | undefined, signal?: AbortSignal) {
  return call(
    api.GET('/api/v1/runs/{run_id}/logs', {
      params: {
        path: { run_id: Number(run) },
        query: { limit: PAGE, ...only({ ...wanted, cursor }) },
      },
      ...(signal && { signal }),
    }),
  )
}
