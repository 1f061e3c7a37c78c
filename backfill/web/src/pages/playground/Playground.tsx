/** Launches single runs: pick a partition, its run config is filled in, change it, launch. */
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect, useRef, useState } from 'react'

import { definitionsQuery } from '@/api/definitions'
import { Loaded } from '@/parts/Shown'
import { toastError } from '@/parts/toasts'
import { toYaml } from '@/parts/editor/yamlText'
import { resolvedQuery } from './queries'
import { TabBar } from './TabBar'
import { TabBody } from './TabBody'
import {
  changed,
  emptyTab,
  keepTabs,
  keptTabs,
  withoutTab,
  withTab,
  type PlaygroundTab,
  type Tabs,
} from './tabs'

export interface Asked {
  pipeline?: string
  set?: string
  partition?: string
}

/** With `pipeline`, new tabs are of it; `asked` opens a tab for what an address names. */
export default function Playground({ pipeline, asked }: { pipeline?: string; asked?: Asked }) {
  const definitions = useQuery(definitionsQuery)
  return (
    <Loaded query={definitions}>
      {(found) => (
        <Tabbed
          first={pipeline ?? asked?.pipeline ?? found.pipelines[0]?.name ?? ''}
          asked={asked}
        />
      )}
    </Loaded>
  )
}

function Tabbed({ first, asked }: { first: string; asked: Asked | undefined }) {
  const [tabs, setTabs] = useState<Tabs>(() => opened(keptTabs(localStorage, first), first, asked))
  const fill = useFill(setTabs)
  const chosen = tabs.tabs.find((tab) => tab.id === tabs.chosen)!
  useEffect(() => keepTabs(localStorage, tabs), [tabs])

  const begun = useRef(false)
  useEffect(() => {
    if (begun.current) return
    begun.current = true
    if (chosen.set && chosen.partition && chosen.version === null) void fill(chosen)
  })

  return (
    <div>
      <TabBar
        tabs={tabs}
        onChoose={(id) => setTabs((now) => ({ ...now, chosen: id }))}
        onClose={(id) => setTabs((now) => withoutTab(now, id))}
        onNew={() => setTabs((now) => withTab(now, emptyTab(chosen.pipeline || first)))}
      />
      <TabBody
        key={chosen.id}
        tab={chosen}
        onChange={(change) => setTabs((now) => changed(now, chosen.id, change))}
        onFill={(tab) => void fill(tab)}
      />
    </div>
  )
}

/** Return what fills a tab with the config, the tags and the steps of its partition. */
function useFill(setTabs: (change: (tabs: Tabs) => Tabs) => void) {
  const client = useQueryClient()
  return async (tab: PlaygroundTab): Promise<void> => {
    const { id, set, partition } = tab
    setTabs((now) => changed(now, id, { pipeline: tab.pipeline, set, partition }))
    if (set === null || partition === null) return
    try {
      const [resolved, definitions] = await Promise.all([
        client.query(resolvedQuery(set, partition)),
        client.query({ ...definitionsQuery, staleTime: 0 }),
      ])
      const of = definitions.partition_sets.find((one) => one.name === set)
      setTabs((now) =>
        changed(now, id, {
          config: toYaml(resolved.config),
          tags: Object.entries(resolved.tags).filter(([key]) => !isGiven(key)),
          steps: of?.step_selection ?? [],
          version: definitions.pipelines.find((one) => one.name === tab.pipeline)?.version ?? null,
        }),
      )
    } catch (error) {
      toastError(error as Error)
    }
  }
}

/** Open a tab for what an address asks for, unless the chosen one is just that. */
function opened(tabs: Tabs, first: string, asked: Asked | undefined): Tabs {
  if (!asked?.pipeline && !asked?.set) return tabs
  const wanted = {
    ...emptyTab(asked.pipeline ?? first),
    set: asked.set ?? null,
    partition: asked.partition ?? null,
  }
  const same = tabs.tabs.find(
    (tab) =>
      tab.pipeline === wanted.pipeline &&
      tab.set === wanted.set &&
      tab.partition === wanted.partition,
  )
  return same ? { ...tabs, chosen: same.id } : withTab(tabs, wanted)
}

/** Every run of a partition gets these tags by itself. */
function isGiven(tag: string): boolean {
  return tag === 'backfill/partition' || tag === 'backfill/partition_set'
}
