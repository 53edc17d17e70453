import type { ProcessStatus } from '../api/types.ts'
import { leaderOf } from '../live/cluster-health.ts'
import { linkState, selfId, snapshot } from '../live/live-state.ts'
import { Badge, Label } from '../parts/badge.tsx'
import { t } from '../text/language.ts'
import type { Fault } from './fault.ts'

interface FaultRowProps {
  readonly process: ProcessStatus
  readonly node: number | undefined
  readonly isCut: boolean
  readonly onFault: (fault: Fault) => void
}

const tones = { running: 'ok', paused: 'warn', stopped: 'bad' } as const

export function FaultRow({ process, node, isCut, onFault }: FaultRowProps) {
  const { name, state } = process
  const isHere = linkState.value === 'live'
  const button = (action: Fault['action'], isPossible: boolean, isHarmful = false) => (
    <button
      class={`button small ${isHarmful ? 'danger' : ''}`}
      type="button"
      disabled={!isHere || !isPossible}
      aria-label={t('fault.label', { action: t(`fault.${action}`), name })}
      onClick={() => onFault({ process: name, node, action })}
    >
      {t(`fault.${action}`)}
    </button>
  )
  return (
    <div class="fault-row" data-process={name} data-state={state}>
      <div class="fault-name">
        <strong>{node === undefined ? name : t('member.name', { node })}</strong>
        <Marks node={node} />
      </div>
      <div class="fault-name">
        <Badge tone={tones[state]}>{t(`process.${state}`)}</Badge>
        {isCut ? <Badge tone="warn">{t('state.isolated')}</Badge> : null}
        <span class="dim">
          {state === 'stopped' && process.lastExit !== undefined
            ? t('process.exit', { exit: process.lastExit })
            : t('process.pid', { pid: process.pid ?? 0, starts: process.starts })}
        </span>
      </div>
      <div class="button-row">
        {button('kill', state !== 'stopped', true)}
        {state === 'paused' ? button('resume', true) : button('pause', state === 'running')}
        {button('start', state === 'stopped')}
        {node === undefined ? null : isCut ? button('heal', true) : button('isolate', state === 'running')}
      </div>
    </div>
  )
}

function Marks({ node }: { readonly node: number | undefined }) {
  const cluster = snapshot.value?.cluster
  if (node === undefined || cluster === undefined) return null
  return (
    <>
      {leaderOf(cluster) === node ? <Badge tone="accent">{t('role.leader')}</Badge> : null}
      {node === selfId.value ? <Label>{t('member.self')}</Label> : null}
    </>
  )
}
