import { useMutation } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { Play } from 'lucide-react'

import { api, call } from '@/api/client'
import { useMay } from '@/api/session'
import { Button } from '@/parts/Button'
import { ProblemLine } from '@/parts/Shown'
import type { PlaygroundTab } from './tabs'

/** Launches what a tab holds, then shows the run. */
export function LaunchRun({
  tab,
  value,
  fits,
  settled,
}: {
  tab: PlaygroundTab
  value: Record<string, unknown> | null
  fits: boolean
  /** Whether what was judged is what stands in the editor. */
  settled: boolean
}) {
  const may = useMay('operator')
  const navigate = useNavigate()
  const launch = useMutation({
    mutationFn: () =>
      call(
        api.POST('/api/v1/runs', {
          params: { header: { 'Idempotency-Key': crypto.randomUUID() } },
          body: {
            pipeline: tab.pipeline,
            partition_set: tab.partition ? tab.set : null,
            partition: tab.partition,
            run_config: value ?? {},
            config_mode: 'exact',
            tags: Object.fromEntries(tab.tags.filter(([key]) => key.trim())),
            steps: tab.steps.length ? [...tab.steps] : null,
          },
        }),
      ),
    onSuccess: (run) => void navigate({ to: '/runs/$runId', params: { runId: run.id } }),
  })
  if (!may) return <p className="soft">You may look, not launch: that needs the role operator.</p>
  return (
    <div className="stack">
      <Button
        kind="primary"
        disabled={!fits || !settled || launch.isPending || (tab.set !== null && !tab.partition)}
        onClick={() => launch.mutate()}
      >
        <Play size={15} aria-hidden />
        {tab.partition ? `Launch ${tab.partition}` : 'Launch'}
      </Button>
      <ProblemLine error={launch.error} />
    </div>
  )
}
