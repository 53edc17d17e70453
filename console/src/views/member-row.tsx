import type { MemberAction } from '../api/client.ts'
import { clusterNowMs } from '../live/live-state.ts'
import type { MemberLine } from '../live/member-list.ts'
import { Badge, type Tone } from '../parts/badge.tsx'
import { QuotaBar } from '../parts/quota-bar.tsx'
import { formatCount, formatDuration } from '../text/format.ts'
import { locale, t } from '../text/language.ts'

interface MemberRowProps {
  readonly line: MemberLine
  readonly onAction: (action: MemberAction) => void
  readonly onRemove: () => void
  readonly onReplace: () => void
}

/** A member: what it is, how far it is, what can be done with it. */
export function MemberRow(props: MemberRowProps) {
  const { line } = props
  const { id, address } = line
  const [tone, role] = roleOf(line)
  return (
    <li class="member-row" data-member={id} data-role={line.isLeader ? 'leader' : line.role}>
      <div class="fault-name">
        <span class="member-name">{t('member.name', { node: id })}</span>
        <Badge tone={tone}>{t(role)}</Badge>
        <SightBadge line={line} />
        {line.isDraining ? <Badge tone="warn">{t('membership.draining')}</Badge> : null}
      </div>
      <div>
        <span class="mono dim">{address}</span>
        <MemberNote line={line} />
        <SightNote line={line} />
      </div>
      <MemberActions {...props} />
    </li>
  )
}

function roleOf({ state, isAnswering, isLeader, role }: MemberLine) {
  if (state === 'invited') return ['plain', 'membership.invited'] as const satisfies readonly [Tone, string]
  if (state === 'leaving') return ['warn', 'membership.leaving'] as const
  if (!isAnswering) return ['bad', 'state.gone'] as const
  if (isLeader) return ['accent', 'role.leader'] as const
  return role === 'learner'
    ? (['warn', 'membership.learner'] as const)
    : (['ok', 'membership.voter'] as const)
}

function MemberNote({ line }: { readonly line: MemberLine }) {
  const { role, state, behind, caughtUp, catchingUpMs, replacedBy, expiresWallMs } = line
  if (state === 'invited' && expiresWallMs !== undefined) {
    const time = formatDuration(expiresWallMs - clusterNowMs.value, locale.value)
    return <div class="dim">{t('membership.invitedNote', { time })}</div>
  }
  if (replacedBy !== undefined && state === 'leaving')
    return <div class="dim">{t('membership.replacedNote', { node: replacedBy })}</div>
  if (role !== 'learner') return null
  return (
    <div class="catch-up">
      {caughtUp === undefined ? null : <QuotaBar share={caughtUp} isProgress />}
      <span class="dim">
        {t('member.lagMeaning', { lag: formatCount(behind ?? 0, locale.value) })} ·{' '}
        {catchingUpMs === undefined
          ? t('membership.staysLearner')
          : t('membership.catchingUp', { time: formatDuration(catchingUpMs, locale.value) })}
      </span>
    </div>
  )
}

const sightTones = {
  alive: 'ok',
  recovered: 'ok',
  degraded: 'warn',
  suspect: 'warn',
  failed: 'bad',
  left: 'plain',
} as const satisfies Readonly<Record<string, Tone>>

/** How the other nodes see it. */
function SightBadge({ line: { sight } }: { readonly line: MemberLine }) {
  if (sight === undefined) return null
  return (
    <span data-sight={sight.state}>
      <Badge tone={sightTones[sight.state]}>{t(`sight.${sight.state}`)}</Badge>
    </span>
  )
}

function SightNote({ line: { id, sight, seenBy } }: { readonly line: MemberLine }) {
  if (sight === undefined) return null
  const { state, forMs, degraded, suspectedBy = [], roundTripMs, healthScore } = sight
  const others = seenBy.filter((by) => by !== id)
  const parts = [
    t('sight.since', { time: formatDuration(forMs, locale.value) }),
    ...(degraded === undefined ? [] : [t(reasonKeyOf(degraded))]),
    ...(suspectedBy.length === 0 ? [] : [t('sight.suspectedBy', { nodes: suspectedBy.join(', ') })]),
    ...(state === 'alive' || others.length === 0 ? [] : [t('sight.seenBy', { nodes: others.join(', ') })]),
    ...(roundTripMs === undefined ? [] : [t('sight.roundTrip', { ms: Math.round(roundTripMs * 10) / 10 })]),
    ...(healthScore === undefined || healthScore === 0 ? [] : [t('sight.score', { score: healthScore })]),
  ]
  return <div class="dim">{parts.join(' · ')}</div>
}

function reasonKeyOf(degraded: string) {
  switch (degraded) {
    case 'event-loop':
      return 'sight.reason.eventLoop'
    case 'response-time':
      return 'sight.reason.responseTime'
    case 'local-health':
      return 'sight.reason.localHealth'
    case 'disk-full':
      return 'sight.reason.diskFull'
    default:
      return 'sight.reason.other'
  }
}

function MemberActions({ line, onAction, onRemove, onReplace }: MemberRowProps) {
  const { state, isAnswering, isLeader, isDraining, role, catchingUpMs } = line
  const isJoined = state === 'joined'
  const button = (label: string, onClick: () => void, isDangerous = false) => (
    <button
      class={`button small ${isDangerous ? 'danger' : ''}`}
      type="button"
      aria-label={t('fault.label', { action: label, name: t('member.name', { node: line.id }) })}
      onClick={onClick}
    >
      {label}
    </button>
  )
  return (
    <div class="button-row">
      {isJoined && isAnswering && role === 'voter' && !isLeader && !isDraining
        ? button(t('membership.lead'), () => onAction('lead'))
        : null}
      {isJoined && role === 'learner' && catchingUpMs === undefined
        ? button(t('membership.promote'), () => onAction('promote'))
        : null}
      {isJoined && isAnswering && !isDraining ? button(t('membership.drain'), () => onAction('drain')) : null}
      {isDraining ? button(t('membership.undrain'), () => onAction('undrain')) : null}
      {isJoined && !isAnswering ? button(t('membership.replace'), onReplace) : null}
      {state === 'leaving' ? null : button(t('membership.remove'), onRemove, true)}
    </div>
  )
}
