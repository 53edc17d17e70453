import type { ClusterMember, ClusterReply, NodeStatus } from '../api/types.ts'
import { isIsolated, isVoter, lagOf, leaderOf } from '../live/cluster-health.ts'
import { httpAddresses, selfId } from '../live/live-state.ts'
import { Badge, Label, type Tone } from '../parts/badge.tsx'
import { LagBar } from '../parts/lag-bar.tsx'
import { Panel } from '../parts/panel.tsx'
import { formatCount, formatDuration, none } from '../text/format.ts'
import { locale, t } from '../text/language.ts'

export function MembersTable({ cluster }: { readonly cluster: ClusterReply }) {
  const leader = leaderOf(cluster)
  return (
    <Panel title={t('members.title')} note={t('members.note')}>
      <div class="table-scroll">
        <table data-test="members">
          <thead>
            <tr>
              <th>{t('members.node')}</th>
              <th>{t('members.state')}</th>
              <th>{t('members.role')}</th>
              <th class="number">{t('members.term')}</th>
              <th class="number">{t('members.commit')}</th>
              <th class="number">{t('members.applied')}</th>
              <th style={{ minWidth: '140px' }}>{t('members.lag')}</th>
              <th class="number">{t('members.uptime')}</th>
              <th>{t('members.address')}</th>
            </tr>
          </thead>
          <tbody>
            {cluster.members.map((member) => (
              <MemberRow key={member.id} member={member} cluster={cluster} isLeader={member.id === leader} />
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  )
}

interface MemberRowProps {
  readonly member: ClusterMember
  readonly cluster: ClusterReply
  readonly isLeader: boolean
}

function MemberRow({ member, cluster, isLeader }: MemberRowProps) {
  const { id, status } = member
  const lag = lagOf(member, cluster)
  const count = (value: number | undefined) => (value === undefined ? none : formatCount(value, locale.value))
  const [tone, state] = stateOf(member, cluster)
  return (
    <tr data-member={id} data-role={status?.role ?? 'none'}>
      <td class="nowrap">
        <MemberName id={id} />
      </td>
      <td>
        <Badge tone={tone}>{t(state)}</Badge>
      </td>
      <td>
        {status === null ? (
          none
        ) : (
          <Role role={status.role} isLeader={isLeader} isVoter={isVoter(id, cluster)} />
        )}
      </td>
      <td class="number">{count(status?.term)}</td>
      <td class="number">{count(status?.commitIndex)}</td>
      <td class="number">{count(status?.appliedIndex)}</td>
      <td>{lag === undefined ? <span class="dim">{none}</span> : <LagBar lag={lag} />}</td>
      <td class="number nowrap">{status === null ? none : formatDuration(status.uptimeMs, locale.value)}</td>
      <td class="mono dim">{member.address}</td>
    </tr>
  )
}

function MemberName({ id }: { readonly id: number }) {
  const name = t('member.name', { node: id })
  const address = httpAddresses.value.get(id)
  if (id === selfId.value)
    return (
      <>
        <span class="member-name">{name}</span> <Label>{t('member.self')}</Label>
      </>
    )
  if (address === undefined) return <span class="member-name">{name}</span>
  return (
    <a class="member-name" href={`http://${address}/`} title={t('member.open')}>
      {name}
    </a>
  )
}

interface RoleProps {
  readonly role: NodeStatus['role']
  readonly isLeader: boolean
  readonly isVoter: boolean
}

function Role({ role, isLeader, isVoter }: RoleProps) {
  if (!isVoter) return <span class="nowrap">{t('membership.learner')}</span>
  if (isLeader) return <Badge tone="accent">{t('role.leader')}</Badge>
  // One that says it leads beside another with a higher term does not know yet that it was deposed.
  return <span class="nowrap">{t(role === 'leader' ? 'role.deposed' : `role.${role}`)}</span>
}

type StateKey = 'state.gone' | 'state.isolated' | 'state.ready' | 'state.notReady'

function stateOf(member: ClusterMember, cluster: ClusterReply): readonly [Tone, StateKey] {
  if (member.status === null) return ['bad', 'state.gone']
  if (isIsolated(member.id, cluster)) return ['warn', 'state.isolated']
  return member.status.isReady ? ['ok', 'state.ready'] : ['warn', 'state.notReady']
}
