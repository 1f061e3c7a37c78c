/** The stream as React sees it. */
import { useEffect, useSyncExternalStore } from 'react'

import { queryClient } from '@/api/query'
import { LiveStream, type Connection } from './stream'

const stream = new LiveStream(queryClient)

/** Listen while a component is shown. */
export function useLive(): void {
  useEffect(() => stream.start(), [])
}

export function useConnection(): Connection {
  return useSyncExternalStore(stream.watch, stream.connection)
}
