import type { ElectionEntry, ServiceEntry, ServiceInstance } from '../api/types.ts'
import { clusterNowMs, elections, problemOfParts, services, staleServices } from '../live/live-state.ts'
import type { Staleness } from '../live/staleness.ts'
import { Badge, Label } from '../parts/badge.tsx'
import { Empty, Panel } from '../parts/panel.tsx'
import { PartProblem } from '../parts/part-problem.tsx'
import { formatCount, formatDuration, formatMoment, none } from '../text/format.ts'
import { locale, t } from '../text/language.ts'

export function ServicesView() {
  const stale = staleServices.value
  return (
    <>
      <div class="view-head">
        <h1>{t('nav.services')}</h1>
        <p>{t('services.about')}</p>
      </div>
      <PartProblem problem={problemOfParts('elections', 'services')} />
      <Elections entries={elections.value} />
      {stale === undefined ? null : <LastKnown {...stale} />}
      {services.value.length === 0 ? (
        <Panel title={t('services.title')}>
          <Empty text={t('services.none')} />
        </Panel>
      ) : (
        services.value.map((service) => (
          <ServicePanel key={service.name} service={service} isStale={stale !== undefined} />
        ))
      )}
    </>
  )
}

function LastKnown({ ageMs }: Staleness) {
  const title =
    ageMs === undefined
      ? t('services.lastKnownUndated')
      : t('services.lastKnown', { age: formatDuration(ageMs, locale.value) })
  return (
    <div class="notice warn" role="status" data-test="services-stale">
      <strong>{title}</strong>
      <span>{t('services.lastKnownMeaning')}</span>
    </div>
  )
}

function Elections({ entries }: { readonly entries: readonly ElectionEntry[] }) {
  return (
    <Panel title={t('elections.title')}>
      {entries.length === 0 ? (
        <Empty text={t('elections.none')} />
      ) : (
        <div class="table-scroll">
          <table>
            <thead>
              <tr>
                <th>{t('elections.name')}</th>
                <th>{t('elections.leader')}</th>
                <th class="number">{t('elections.term')}</th>
                <th>{t('elections.since')}</th>
                <th>{t('elections.candidates')}</th>
              </tr>
            </thead>
            <tbody>
              {entries.map((entry) => (
                <ElectionRow key={entry.name} entry={entry} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  )
}

function ElectionRow({ entry }: { readonly entry: ElectionEntry }) {
  const { name, leader, candidates } = entry
  return (
    <tr>
      <td class="mono">{name}</td>
      <td class="break">
        {leader === null ? (
          <Badge tone="warn">{t('elections.nobody')}</Badge>
        ) : (
          <strong>{leader.candidate}</strong>
        )}{' '}
        <span class="dim">{leader?.value}</span>
      </td>
      <td class="number">{leader === null ? none : formatCount(leader.term, locale.value)}</td>
      <td class="nowrap">
        {leader === null ? none : formatDuration(clusterNowMs.value - leader.electedAtMs, locale.value)}
      </td>
      <td class="break">
        {candidates.length === 0 ? none : candidates.map(({ candidate }) => candidate).join(', ')}
      </td>
    </tr>
  )
}

function ServicePanel({ service, isStale }: { readonly service: ServiceEntry; readonly isStale: boolean }) {
  const { name, instances } = service
  const healthy = instances.filter(({ health, state }) => health.state === 'healthy' && state === 'up').length
  return (
    <Panel
      title={<span class="mono">{name}</span>}
      note={t('services.healthy', { healthy, total: instances.length })}
      end={isStale ? <Badge tone="warn">{t('services.stale')}</Badge> : undefined}
    >
      <div class="table-scroll">
        <table>
          <thead>
            <tr>
              <th>{t('services.instance')}</th>
              <th>{t('services.health')}</th>
              <th>{t('services.address')}</th>
              <th>{t('services.zone')}</th>
              <th>{t('services.version')}</th>
              <th class="number">{t('services.weight')}</th>
              <th>{t('services.since')}</th>
              <th>{t('services.check')}</th>
              <th>{t('services.metadata')}</th>
            </tr>
          </thead>
          <tbody>
            {instances.map((instance) => (
              <InstanceRow key={instance.id} instance={instance} />
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  )
}

function InstanceRow({ instance }: { readonly instance: ServiceInstance }) {
  const { id, address, zone, version, weight, metadata, registeredAtMs } = instance
  return (
    <tr>
      <td class="member-name">{id}</td>
      <td class="nowrap">
        <Health instance={instance} />
      </td>
      <td class="mono">{address}</td>
      <td>{zone || none}</td>
      <td>{version || none}</td>
      <td class="number">{formatCount(weight, locale.value)}</td>
      <td class="nowrap" title={formatMoment(registeredAtMs, locale.value)}>
        {formatDuration(clusterNowMs.value - registeredAtMs, locale.value)}
      </td>
      <td class="break">
        <Check instance={instance} />
      </td>
      <td>
        <span class="button-row">
          {Object.entries(metadata).map(([key, value]) => (
            <Label key={key}>
              {key}: {value}
            </Label>
          ))}
        </span>
      </td>
    </tr>
  )
}

const healthTones = { healthy: 'ok', unhealthy: 'bad', unknown: 'warn' } as const

function Health({ instance }: { readonly instance: ServiceInstance }) {
  const { health, state } = instance
  const note = health.results[0]?.note
  return (
    <span title={note}>
      <Badge tone={healthTones[health.state]}>{t(`health.state.${health.state}`)}</Badge>{' '}
      {state === 'draining' ? <Badge tone="warn">{t('services.draining')}</Badge> : null}{' '}
      {health.flapping ? <Badge tone="warn">{t('services.flapping')}</Badge> : null}
    </span>
  )
}

/** What is asked of the instance, and the last results as of the last change of the verdict, newest first. */
function Check({ instance }: { readonly instance: ServiceInstance }) {
  const { check, health } = instance
  const [last] = health.results
  if (check === undefined && last === undefined) return <>{none}</>
  const history = health.results.map(({ ok, atMs, note }) => {
    return `${formatMoment(atMs, locale.value)}  ${ok ? '✓' : '✗'} ${note ?? ''}`
  })
  return (
    <span title={history.join('\n')}>
      {check === undefined ? null : (
        <span class="mono">
          {check.kind} {check.target}{' '}
        </span>
      )}
      {check?.by === 'cluster' ? <Label>{t('services.byCluster')}</Label> : null}{' '}
      <span class="mono">{health.results.map(({ ok }) => (ok ? '✓' : '✗')).join('')}</span>{' '}
      <span class="dim">{last?.note}</span>
    </span>
  )
}
