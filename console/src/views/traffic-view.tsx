import type { GatewayEntry, InstanceView, RouteRecord } from '../api/types.ts'
import { type GatewaySummary, summarise } from '../live/gateway-summary.ts'
import { gateways, history, problemOfParts } from '../live/live-state.ts'
import { latestRate } from '../live/rate-history.ts'
import { Badge, type Tone } from '../parts/badge.tsx'
import { Empty, Panel } from '../parts/panel.tsx'
import { PartProblem } from '../parts/part-problem.tsx'
import { RateChart } from '../parts/rate-chart.tsx'
import { ShareBar } from '../parts/share-bar.tsx'
import { formatClock, formatCount, formatLatency, formatPercent, formatRate, none } from '../text/format.ts'
import { locale, t } from '../text/language.ts'

export function TrafficView() {
  const entries = gateways.value
  const summary = summarise(entries)
  return (
    <>
      <div class="view-head">
        <h1>{t('nav.traffic')}</h1>
        <p>{t('traffic.about')}</p>
      </div>
      <PartProblem problem={problemOfParts('services')} />
      {entries
        .filter(({ stats }) => stats === null)
        .map((entry) => (
          <Silent key={entry.id} entry={entry} />
        ))}
      {summary.answering === 0 ? (
        <section class="panel">
          <Empty text={t('traffic.none')} command="npm start" />
        </section>
      ) : (
        <Traffic summary={summary} />
      )}
    </>
  )
}

function Silent({ entry }: { readonly entry: GatewayEntry }) {
  return (
    <div class="notice warn" role="status">
      <strong>{t('traffic.silent', { id: entry.id, address: entry.address })}</strong>
      <span class="dim">{entry.problem}</span>
    </div>
  )
}

function Traffic({ summary }: { readonly summary: GatewaySummary }) {
  return (
    <>
      <TrafficTiles summary={summary} />
      <RateChart
        title={t('chart.gateway')}
        series={[
          { name: 'requests', label: t('chart.requests') },
          { name: 'errors', label: t('chart.errors') },
        ]}
        history={history.value}
      />
      <Upstreams upstreams={summary.upstreams} />
      <Routes routes={summary.routes} />
    </>
  )
}

function TrafficTiles({ summary }: { readonly summary: GatewaySummary }) {
  const { keptShare, latency, sessions, tunnels, errors } = summary
  const rate = latestRate(history.value, 'requests')
  const tiles: readonly (readonly [Parameters<typeof t>[0], string])[] = [
    [
      'traffic.rate',
      rate === undefined ? none : t('chart.perSecond', { rate: formatRate(rate, locale.value) }),
    ],
    ['traffic.p50', latency === undefined ? none : formatLatency(latency.p50, locale.value)],
    ['traffic.p99', latency === undefined ? none : formatLatency(latency.p99, locale.value)],
    ['traffic.sessions', formatCount(sessions, locale.value)],
    ['traffic.tunnels', formatCount(tunnels, locale.value)],
    ['traffic.kept', keptShare === undefined ? none : formatPercent(keptShare, locale.value)],
    ['traffic.errors', formatCount(errors, locale.value)],
  ]
  return (
    <div>
      <dl class="tiles">
        {tiles.map(([key, value]) => (
          <div key={key} class={`tile ${key === 'traffic.errors' && errors > 0 ? 'bad' : ''}`}>
            <dt>{t(key)}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <p class="dim tiles-note">{t('traffic.sample', { count: latency?.count ?? 0 })}</p>
    </div>
  )
}

const stateTones: Readonly<Record<InstanceView['state'], Tone>> = {
  up: 'ok',
  draining: 'warn',
  unhealthy: 'bad',
  ejected: 'bad',
  standby: 'plain',
}

function Upstreams({ upstreams }: { readonly upstreams: readonly InstanceView[] }) {
  const max = Math.max(0, ...upstreams.map(({ sessions }) => sessions))
  return (
    <Panel title={t('traffic.upstreams')}>
      <div class="table-scroll">
        <table>
          <thead>
            <tr>
              <th>{t('services.instance')}</th>
              <th>{t('members.state')}</th>
              <th style={{ minWidth: '200px' }}>{t('traffic.sessions')}</th>
              <th class="number">{t('traffic.open')}</th>
              <th class="number">{t('traffic.tunnels')}</th>
              <th>{t('services.address')}</th>
            </tr>
          </thead>
          <tbody>
            {upstreams.map((each) => (
              <tr key={each.id}>
                <td class="member-name">{each.id}</td>
                <td title={each.ejectionCause}>
                  <Badge tone={stateTones[each.state]}>{t(`upstream.${each.state}`)}</Badge>
                </td>
                <td>
                  <ShareBar count={each.sessions} max={max} />
                </td>
                <td class="number">{formatCount(each.requests, locale.value)}</td>
                <td class="number">{formatCount(each.tunnels, locale.value)}</td>
                <td class="mono dim">{each.address}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  )
}

function Routes({ routes }: { readonly routes: readonly RouteRecord[] }) {
  return (
    <Panel title={t('traffic.routes')} note={t('traffic.routesNote')}>
      {routes.length === 0 ? (
        <Empty text={t('traffic.noRoutes')} />
      ) : (
        <div class="table-scroll routes">
          <table>
            <thead>
              <tr>
                <th>{t('traffic.time')}</th>
                <th>{t('traffic.client')}</th>
                <th>{t('traffic.request')}</th>
                <th>{t('traffic.route')}</th>
                <th class="number">{t('traffic.status')}</th>
                <th class="number">{t('traffic.duration')}</th>
              </tr>
            </thead>
            <tbody>
              {routes.map((route, i) => (
                <RouteRow key={`${route.atMs} ${i}`} route={route} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  )
}

function RouteRow({ route }: { readonly route: RouteRecord }) {
  const { atMs, client, method, path, attempts, status, durationMs } = route
  return (
    <tr>
      <td class="nowrap dim">{formatClock(atMs, locale.value)}</td>
      <td class="mono nowrap">{client}</td>
      <td class="mono break">
        {method} {path}
      </td>
      <td>
        {attempts.length === 0 ? <span class="dim">{t('route.nowhere')}</span> : null}
        {attempts.map((attempt, i) => (
          <div key={i}>
            <span class="mono">{attempt.instanceId}</span>{' '}
            <span class="dim">
              {t(`route.${attempt.reason}`)}
              {attempt.movedFrom === undefined
                ? ''
                : ` ${t(`route.from.${attempt.movedFrom.cause}`, { from: attempt.movedFrom.instanceId })}`}
              {attempt.failure === undefined ? '' : ` · ${attempt.failure}`}
            </span>
          </div>
        ))}
      </td>
      <td class="number">
        {status >= 500 ? <Badge tone="bad">{status}</Badge> : status === 0 ? t('route.left') : status}
      </td>
      <td class="number nowrap">{formatLatency(durationMs, locale.value)}</td>
    </tr>
  )
}
