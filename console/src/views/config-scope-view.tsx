import { useCallback, useState } from 'preact/hooks'
import {
  type ConfigDocument,
  type ConfigInstance,
  type EffectiveConfig,
  type HistoryItem,
  configApi,
} from '../api/config-api.ts'
import { usePolled } from '../live/polled.ts'
import { Badge } from '../parts/badge.tsx'
import { PartProblem } from '../parts/part-problem.tsx'
import { t } from '../text/language.ts'
import { ConfigHistory } from './config-history.tsx'
import { ConfigInstances } from './config-instances.tsx'
import { ConfigRelease } from './config-release.tsx'
import { ConfigValuesPanel } from './config-values.tsx'

const historyShown = 50

interface ScopeState {
  readonly document: ConfigDocument
  readonly effective: EffectiveConfig
  readonly instances: readonly ConfigInstance[]
  readonly history: readonly HistoryItem[]
}

/** One scope: what is set where, the release under way, who runs what, what was before. */
export function ConfigScopeView({ scope }: { readonly scope: string }) {
  const [instance, setInstance] = useState('')
  const ask = useCallback(() => readScope(scope, instance), [scope, instance])
  const { value, problem, refresh } = usePolled(ask)
  return (
    <>
      <div class="view-head">
        <h1>
          <a href="#/config">{t('nav.config')}</a> / <span class="mono">{scope}</span>
        </h1>
        {value === undefined ? null : <p>{aboutOf(value.document)}</p>}
      </div>
      <PartProblem problem={problem} />
      {value === undefined ? null : (
        <>
          <ConfigRelease document={value.document} onDone={refresh} />
          <ConfigValuesPanel
            document={value.document}
            effective={value.effective}
            instance={instance}
            instances={namesOf(value)}
            onInstance={setInstance}
            onDone={refresh}
          />
          <ConfigInstances document={value.document} instances={value.instances} />
          <ConfigHistory document={value.document} history={value.history} onDone={refresh} />
        </>
      )}
    </>
  )
}

function aboutOf({ latest, stable, staged, schema }: ConfigDocument) {
  if (latest === 0) return t('config.empty')
  return (
    <>
      {t(staged === undefined ? 'config.runs' : 'config.runsStaged', { version: stable.version })}{' '}
      {schema === undefined ? null : <Badge tone="ok">{t('config.checked')}</Badge>}
    </>
  )
}

/** Of the layer that all share there is no merged view: its own values are shown. */
async function readScope(scope: string, instance: string): Promise<ScopeState> {
  const [document, instances, history] = await Promise.all([
    configApi.document(scope),
    configApi.instances(scope),
    configApi.history(scope, historyShown),
  ])
  const effective = scope === '*' ? globalView(document) : await configApi.effective(scope, instance)
  return { document, effective, instances, history }
}

function globalView({ stable }: ConfigDocument): EffectiveConfig {
  const values = Object.entries(stable.values).map(
    ([key, value]) => [key, { ...value, layer: 'global' as const }] as const,
  )
  return { version: stable.version, globalVersion: stable.version, values: Object.fromEntries(values) }
}

/** The instances that live, and those that have values of their own. */
function namesOf({ document, instances }: ScopeState): readonly string[] {
  if (document.scope === '*') return []
  const live = instances.map(({ instance }) => instance)
  return [...new Set([...live, ...Object.keys(document.stable.instances)])].toSorted()
}
