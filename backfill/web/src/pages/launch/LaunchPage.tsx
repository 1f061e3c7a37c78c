import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'

import { ApiProblem } from '@/api/client'
import { definitionsQuery } from '@/api/definitions'
import { useMay } from '@/api/session'
import { backfillQuery } from '@/pages/backfills/queries'
import { pipelineQuery } from '@/pages/runs/again'
import { parseYaml } from '@/parts/editor/yamlText'
import { Page } from '@/parts/Page'
import { Empty, Loaded } from '@/parts/Shown'
import { ConfigSection } from './ConfigSection'
import { GuardSection } from './GuardSection'
import { LabelSection } from './LabelSection'
import styles from './launch.module.css'
import { OrderSection } from './OrderSection'
import { PlanPanel } from './PlanPanel'
import { planQuery } from './queries'
import { requestOf } from './request'
import type { LaunchSearch } from './search'
import { SelectionSection } from './SelectionSection'
import { useForm } from './useForm'

export interface SectionProps {
  form: LaunchSearch
  change: (changed: LaunchSearch) => void
}

export function LaunchPage() {
  const definitions = useQuery(definitionsQuery)
  const may = useMay('operator')
  const [form, change, settled] = useForm()
  return (
    <Page
      title="Launch backfill"
      within={<Link to="/backfills">Backfills</Link>}
      heading={form.from ? `Launch backfill, as ${form.from} was` : 'Launch backfill'}
    >
      {may ? (
        <Loaded query={definitions}>
          {({ partition_sets: sets }) =>
            sets.length ? (
              <Form sets={sets} form={form} change={change} settled={settled} />
            ) : (
              <Empty title="No partition sets">
                Define one in the code that the server loads; it shows up here by itself.
              </Empty>
            )
          }
        </Loaded>
      ) : (
        <Empty title="Not allowed">
          Launching a backfill needs the role operator. What runs can be looked at:{' '}
          <Link to="/backfills">all backfills</Link>.
        </Empty>
      )}
    </Page>
  )
}

function Form({
  sets,
  form,
  change,
  settled,
}: SectionProps & {
  sets: readonly { name: string; pipeline: string; description: string | null }[]
  settled: LaunchSearch
}) {
  const set = sets.find((one) => one.name === form.set)
  const pipeline = useQuery({ ...pipelineQuery(set?.pipeline ?? ''), enabled: set !== undefined })
  const config = parseYaml(settled.config ?? '')
  const { set: wantedSet, select } = settled
  const request =
    wantedSet && select && config.value
      ? requestOf({ ...settled, set: wantedSet, select }, config.value)
      : null
  const from = useQuery({ ...backfillQuery(form.from ?? ''), enabled: form.from !== undefined })
  const plan = useQuery(planQuery(request, settled.partition))
  const wrong = plan.error instanceof ApiProblem ? plan.error : null
  const wrongSelection = wrong?.code === 'selection_invalid' ? wrong : null
  return (
    <div className={styles.launch}>
      <form className={styles.form} onSubmit={(event) => event.preventDefault()}>
        <SelectionSection
          form={form}
          change={change}
          sets={sets}
          problem={request ? wrongSelection : null}
        />
        <ConfigSection
          form={form}
          change={change}
          pipeline={pipeline.data}
          problems={plan.data?.config?.errors}
        />
        <OrderSection form={form} change={change} />
        <GuardSection form={form} change={change} />
        <LabelSection form={form} change={change} />
      </form>
      <PlanPanel
        from={from.data}
        request={request}
        plan={plan}
        isSettled={form === settled || JSON.stringify(form) === JSON.stringify(settled)}
        isBroken={config.value === null}
        partition={form.partition}
        onPartition={(partition) => change({ partition })}
      />
    </div>
  )
}
