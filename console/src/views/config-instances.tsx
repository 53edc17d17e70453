import type { ConfigDocument, ConfigInstance } from '../api/config-api.ts'
import { clusterNowMs } from '../live/live-state.ts'
import { Badge, Label } from '../parts/badge.tsx'
import { Empty, Panel } from '../parts/panel.tsx'
import { formatCount, formatDuration, formatMoment } from '../text/format.ts'
import { locale, t } from '../text/language.ts'

interface ConfigInstancesProps {
  readonly document: ConfigDocument
  readonly instances: readonly ConfigInstance[]
}

/** Which version each instance says it runs. */
export function ConfigInstances({ document, instances }: ConfigInstancesProps) {
  const isGlobal = document.scope === '*'
  const versionOf = ({ version, globalVersion }: ConfigInstance) => (isGlobal ? globalVersion : version)
  const newest = instances.filter((each) => versionOf(each) === document.latest).length
  return (
    <Panel
      title={t('config.instances')}
      note={t('config.instancesNote', { count: newest, total: instances.length, version: document.latest })}
    >
      {instances.length === 0 ? (
        <Empty text={t('config.noInstances')} />
      ) : (
        <div class="table-scroll">
          <table data-test="config-instances">
            <thead>
              <tr>
                <th>{t('services.instance')}</th>
                <th class="number">{t('config.version')}</th>
                <th class="number">{t('config.place')}</th>
                <th>{t('config.labels')}</th>
                <th>{t('config.state')}</th>
                <th>{t('config.since')}</th>
              </tr>
            </thead>
            <tbody>
              {instances.map((each) => (
                <InstanceRow
                  key={`${each.service} ${each.instance}`}
                  report={each}
                  name={isGlobal ? `${each.service} / ${each.instance}` : each.instance}
                  version={versionOf(each)}
                />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  )
}

interface InstanceRowProps {
  readonly report: ConfigInstance
  readonly name: string
  readonly version: number
}

function InstanceRow({ report, name, version }: InstanceRowProps) {
  const { instance, place, labels, problem, source, sinceMs } = report
  return (
    <tr data-instance={instance}>
      <td class="member-name">{name}</td>
      <td class="number">{formatCount(version, locale.value)}</td>
      <td class="number">{place}</td>
      <td>
        <span class="button-row">
          {Object.entries(labels).map(([label, value]) => (
            <Label key={label}>
              {label}: {value}
            </Label>
          ))}
        </span>
      </td>
      <td class="break">
        {problem === undefined ? (
          <Badge tone={source === 'store' ? 'ok' : 'warn'}>{t(`config.source.${source}`)}</Badge>
        ) : (
          <>
            <Badge tone="bad">{problem.kind}</Badge> {problem.message}
          </>
        )}
      </td>
      <td class="nowrap" title={formatMoment(sinceMs, locale.value)}>
        {formatDuration(clusterNowMs.value - sinceMs, locale.value)}
      </td>
    </tr>
  )
}
