import { useState } from 'preact/hooks'
import type { ProcessStatus } from '../api/types.ts'
import { isIsolated } from '../live/cluster-health.ts'
import { isSupervised, problemOfParts, processes, snapshot } from '../live/live-state.ts'
import { Dialog } from '../parts/dialog.tsx'
import { Empty, Panel } from '../parts/panel.tsx'
import { PartProblem } from '../parts/part-problem.tsx'
import { t } from '../text/language.ts'
import { type Fault, makeFault, risksOf } from './fault.ts'
import { FaultLog } from './fault-log.tsx'
import { FaultRow } from './fault-row.tsx'

const kinds = ['node', 'gateway', 'worker', 'load'] as const

export function FaultsView() {
  const [asking, setAsking] = useState<Fault>()
  const ask = (fault: Fault) => {
    if (risksOf(fault).length === 0) void makeFault(fault)
    else setAsking(fault)
  }
  if (!isSupervised.value) {
    return (
      <>
        <h1>{t('nav.faults')}</h1>
        <section class="panel">
          <Empty text={t('faults.notHere')} command="npx althing up --nodes 3" />
        </section>
      </>
    )
  }
  return (
    <>
      <div class="view-head">
        <h1>{t('nav.faults')}</h1>
        <p>{t('faults.about')}</p>
      </div>
      <PartProblem problem={problemOfParts('processes')} />
      {kinds.map((kind) => (
        <Processes key={kind} kind={kind} onFault={ask} />
      ))}
      <Expectations />
      <FaultLog />
      {asking === undefined ? null : <RiskDialog fault={asking} onClose={() => setAsking(undefined)} />}
    </>
  )
}

interface ProcessesProps {
  readonly kind: ProcessStatus['kind']
  readonly onFault: (fault: Fault) => void
}

function Processes({ kind, onFault }: ProcessesProps) {
  const own = processes.value.filter((process) => process.kind === kind)
  const cluster = snapshot.value?.cluster
  if (own.length === 0) return null
  return (
    <Panel title={t(`faults.kind.${kind}`)}>
      {own.map((process) => {
        const node = nodeOf(process)
        const isCut = node !== undefined && cluster !== undefined && isIsolated(node, cluster)
        return <FaultRow key={process.name} process={process} node={node} isCut={isCut} onFault={onFault} />
      })}
    </Panel>
  )
}

function nodeOf(process: ProcessStatus): number | undefined {
  const match = process.kind === 'node' ? /^node-(\d+)$/.exec(process.name) : null
  return match === null ? undefined : Number(match[1])
}

const expected = ['kill', 'pause', 'isolate', 'worker'] as const

function Expectations() {
  return (
    <Panel title={t('expect.title')} isPadded>
      <div class="expectations">
        {expected.map((each) => (
          <div key={each}>
            <strong>{t(`expect.${each}`)}</strong>
            <p>{t(`expect.${each}Meaning`)}</p>
          </div>
        ))}
      </div>
    </Panel>
  )
}

function RiskDialog({ fault, onClose }: { readonly fault: Fault; readonly onClose: () => void }) {
  const confirm = () => {
    onClose()
    void makeFault(fault)
  }
  return (
    <Dialog
      title={t(`fault.${fault.action}Title`, { name: fault.process })}
      confirmText={t(`fault.${fault.action}`)}
      isDangerous
      onConfirm={confirm}
      onClose={onClose}
    >
      {risksOf(fault).map(({ key, values }) => (
        <p key={key}>{t(key, values)}</p>
      ))}
    </Dialog>
  )
}
