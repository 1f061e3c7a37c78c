/** The Run Matrix of a partition set: strip, filters, detail, selection, figures, the open box. */
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'

import { pipelineQuery } from '@/pages/runs/again'
import { Loaded } from '@/parts/Shown'
import type { StepNode } from '@/parts/steps'
import { BoxPanel } from '../box/BoxPanel'
import { headQuery, placeQuery } from './columns'
import { Detail } from './Detail'
import styles from './RunMatrix.module.css'
import { filterOf, type ColumnFilter, type MatrixSearch } from './search'
import { Toolbar } from './Toolbar'

export type ChangeSearch = (change: Partial<MatrixSearch>, how?: { replace?: boolean }) => void

interface Props {
  set: string
  search: MatrixSearch
  onSearch: ChangeSearch
}

export function RunMatrix({ set, search, onSearch }: Props) {
  const filter = filterOf(search)
  return (
    <div className={styles.matrix}>
      <Toolbar search={search} onChange={(change) => onSearch({ ...change, at: undefined })} />
      <Narrowed
        key={JSON.stringify([set, filter])}
        set={set}
        filter={filter}
        search={search}
        onSearch={onSearch}
      />
    </div>
  )
}

/** The columns that a filter leaves, and the open box. */
function Narrowed({ set, filter, search, onSearch }: Props & { filter: ColumnFilter }) {
  const [begin] = useState(search.at) // later the URL follows what is scrolled to
  const head = useQuery(headQuery(set, filter))
  const start = useQuery({
    ...placeQuery(set, filter, begin ?? ''),
    enabled: begin !== undefined,
    staleTime: Infinity,
  })
  const pipeline = useQuery({
    ...pipelineQuery(head.data?.pipeline ?? ''),
    enabled: head.data !== undefined,
  })
  return (
    <div className={search.part && search.step ? styles.beside : styles.alone}>
      <Loaded query={head}>
        {({ count, steps }) =>
          !start.isLoading && (
            <Detail
              set={set}
              filter={filter}
              search={search}
              onSearch={onSearch}
              count={count}
              steps={steps}
              graph={graphOf(steps, pipeline.data?.steps)}
              start={start.data ?? 'end'}
            />
          )
        }
      </Loaded>
      {search.part && search.step && (
        <BoxPanel
          key={`${search.part} ${search.step}`}
          set={set}
          partition={search.part}
          step={search.step}
          steps={pipeline.data?.steps ?? []}
          onClose={() => onSearch({ part: undefined, step: undefined })}
        />
      )}
    </div>
  )
}

/** The steps of the matrix with what they wait for, in the order of the graph. */
function graphOf(names: readonly string[], known: readonly StepNode[] | undefined): StepNode[] {
  const upstream = new Map(known?.map((step) => [step.name, step.upstream]))
  return names.map((name) => ({ name, upstream: upstream.get(name) ?? [] }))
}
