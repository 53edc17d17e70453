import { gateways, health, history, linkState, snapshot } from '../live/live-state.ts'
import { RateChart } from '../parts/rate-chart.tsx'
import { formatCount } from '../text/format.ts'
import { locale, t } from '../text/language.ts'
import { MembersTable } from './members-table.tsx'
import { Verdict } from './verdict.tsx'

export function OverviewView() {
  const now = snapshot.value
  if (now === undefined || health.value === undefined) return <h1>{t('nav.overview')}</h1>
  const hasGateway = gateways.value.some(({ stats }) => stats !== null)
  return (
    <>
      <Verdict health={health.value} isOld={linkState.value !== 'live'} />
      <MembersTable cluster={now.cluster} />
      <div class="columns-3">
        <RateChart
          title={t('chart.work')}
          series={[
            { name: 'writes', label: t('chart.writes') },
            { name: 'reads', label: t('chart.reads') },
          ]}
          history={history.value}
        />
        <RateChart
          title={t('chart.log')}
          series={[
            { name: 'entries', label: t('chart.entries') },
            { name: 'changes', label: t('chart.changes') },
          ]}
          history={history.value}
        />
        <RateChart
          title={t('chart.gateway')}
          series={[
            { name: 'requests', label: t('chart.requests') },
            { name: 'errors', label: t('chart.errors') },
          ]}
          history={history.value}
          {...(hasGateway ? {} : { emptyText: t('chart.noGateway') })}
        />
      </div>
      <StoreTiles />
    </>
  )
}

function StoreTiles() {
  const statuses = snapshot.value?.cluster.members.flatMap(({ status }) => status ?? []) ?? []
  const most = (pick: (status: (typeof statuses)[number]) => number) => Math.max(0, ...statuses.map(pick))
  const sum = (pick: (status: (typeof statuses)[number]) => number) =>
    statuses.reduce((total, status) => total + pick(status), 0)
  const tiles = [
    ['tile.keys', most(({ keys }) => keys)],
    ['tile.revision', most(({ revision }) => revision)],
    ['tile.leases', most(({ leases }) => leases)],
    ['tile.clients', sum(({ clients }) => clients)],
    ['tile.watchers', sum(({ watchers }) => watchers)],
  ] as const
  return (
    <dl class="tiles">
      {tiles.map(([key, value]) => (
        <div key={key} class="tile">
          <dt>{t(key)}</dt>
          <dd>{formatCount(value, locale.value)}</dd>
        </div>
      ))}
    </dl>
  )
}
