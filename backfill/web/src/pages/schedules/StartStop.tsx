import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Play, Square } from 'lucide-react'

import { api, call } from '@/api/client'
import { useMay } from '@/api/session'
import { Button } from '@/parts/Button'
import { toast, toastError } from '@/parts/toasts'
import type { ScheduleStatus } from './queries'

/** Starts a schedule that is stopped, stops one that runs; nothing for viewers. */
export function StartStop({
  schedule,
  small = false,
}: {
  schedule: ScheduleStatus
  small?: boolean
}) {
  const client = useQueryClient()
  const may = useMay('operator')
  const running = schedule.state === 'running'
  const verb = running ? 'stop' : 'start'
  const change = useMutation({
    mutationFn: () =>
      call(
        api.POST(`/api/v1/schedules/{name}/${verb}`, { params: { path: { name: schedule.name } } }),
      ),
    onSuccess: () => toast(`${schedule.name} ${running ? 'was stopped' : 'was started'}.`),
    onError: toastError,
    onSettled: () => client.invalidateQueries({ queryKey: ['schedules'] }),
  })
  if (!may || (!schedule.definition && !running)) return null
  return (
    <Button
      small={small}
      disabled={change.isPending}
      onClick={() => change.mutate()}
      aria-label={`${running ? 'Stop' : 'Start'} ${schedule.name}`}
    >
      {running ? <Square size={13} aria-hidden /> : <Play size={13} aria-hidden />}
      {running ? 'Stop' : 'Start'}
    </Button>
  )
}
