import { keepPreviousData, queryOptions } from '@tanstack/react-query'

import { api, call, type Schemas } from '@/api/client'

export type ScheduleStatus = Schemas['ScheduleStatus']

/** Every schedule. */
export const schedulesQuery = queryOptions({
  queryKey: ['schedules', 'list'],
  queryFn: ({ signal }) => call(api.GET('/api/v1/schedules', { signal })),
  refetchInterval: 5_000, // ticks are not told of
})

/** One schedule. */
export function scheduleQuery(name: string) {
  return queryOptions({
    queryKey: ['schedules', 'one', name],
    queryFn: ({ signal }) =>
      call(api.GET('/api/v1/schedules/{name}', { params: { path: { name } }, signal })),
    refetchInterval: 5_000,
  })
}

/** When a schedule ticks, or would. */
export function nextTicksQuery(name: string) {
  return queryOptions({
    queryKey: ['schedules', 'next', name],
    queryFn: ({ signal }) =>
      call(
        api.GET('/api/v1/schedules/{name}/next', {
          params: { path: { name }, query: { count: 5 } },
          signal,
        }),
      ),
    refetchInterval: 30_000,
  })
}

/** A page of the ticks of a schedule, newest first. */
export function ticksQuery(
  name: string,
  state: Schemas['TickState'] | undefined,
  cursor: string | undefined,
) {
  return queryOptions({
    queryKey: ['schedules', 'ticks', name, { state, cursor }],
    queryFn: ({ signal }) =>
      call(
        api.GET('/api/v1/schedules/{name}/ticks', {
          params: {
            path: { name },
            query: { limit: 50, ...(state && { state: [state] }), ...(cursor && { cursor }) },
          },
          signal,
        }),
      ),
    refetchInterval: 5_000,
    placeholderData: keepPreviousData,
  })
}
