import { useState } from 'preact/hooks'
import { type ConfigScope, configApi } from '../api/config-api.ts'
import { usePolled } from '../live/polled.ts'
import { Badge, Label } from '../parts/badge.tsx'
import { Field } from '../parts/field.tsx'
import { Dialog } from '../parts/dialog.tsx'
import { Empty, Panel } from '../parts/panel.tsx'
import { PartProblem } from '../parts/part-problem.tsx'
import { subject } from '../route.ts'
import { formatCount, formatMoment, none } from '../text/format.ts'
import { locale, t } from '../text/language.ts'
import { ConfigScopeView } from './config-scope-view.tsx'
import { labelsText } from './config-text.ts'

/** The scope of what all services share. */
const globalScope = '*'

export function ConfigView() {
  const scope = subject.value
  return scope === '' ? <ConfigScopes /> : <ConfigScopeView key={scope} scope={scope} />
}

function ConfigScopes() {
  const { value, problem } = usePolled(configApi.scopes)
  const [isOpening, setOpening] = useState(false)
  return (
    <>
      <div class="view-head">
        <h1>{t('nav.config')}</h1>
        <span class="actions">
          <button class="button primary" type="button" onClick={() => setOpening(true)}>
            {t('config.new')}
          </button>
        </span>
        <p>{t('config.about')}</p>
      </div>
      <PartProblem problem={problem} />
      <Panel title={t('config.title')}>
        {value?.length === 0 ? (
          <Empty text={t('config.none')} command="npx althing config set orders pool=10" />
        ) : (
          <div class="table-scroll">
            <table data-test="configs">
              <thead>
                <tr>
                  <th>{t('config.scope')}</th>
                  <th class="number">{t('config.version')}</th>
                  <th>{t('config.release')}</th>
                  <th class="number">{t('tile.keys')}</th>
                  <th>{t('config.schema')}</th>
                  <th>{t('config.lastChange')}</th>
                </tr>
              </thead>
              <tbody>
                {(value ?? []).map((scope) => (
                  <ScopeRow key={scope.scope} scope={scope} />
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Panel>
      {isOpening ? <OpenDialog onClose={() => setOpening(false)} /> : null}
    </>
  )
}

function ScopeRow({ scope }: { readonly scope: ConfigScope }) {
  const { staged, author, atMs } = scope
  return (
    <tr data-config={scope.scope}>
      <td>
        <a class="mono" href={addressOf(scope.scope)}>
          <strong>{scope.scope}</strong>
        </a>{' '}
        {scope.scope === globalScope ? <Label>{t('config.layer.global')}</Label> : null}
      </td>
      <td class="number">{formatCount(scope.stable, locale.value)}</td>
      <td>
        {staged === undefined ? (
          none
        ) : (
          <Badge tone="accent">
            {t('config.stagedShort', { version: staged.version, share: staged.share })}{' '}
            {labelsText(staged.match)}
          </Badge>
        )}
      </td>
      <td class="number">{formatCount(scope.keys, locale.value)}</td>
      <td>{scope.hasSchema ? <Badge tone="ok">{t('config.checked')}</Badge> : none}</td>
      <td class="break">
        {author} <span class="dim">{formatMoment(atMs, locale.value)}</span>
      </td>
    </tr>
  )
}

/** A scope begins with its first value: opening one that is not there shows it empty. */
function OpenDialog({ onClose }: { readonly onClose: () => void }) {
  const [name, setName] = useState('')
  const isName = name === globalScope || /^[A-Za-z0-9._-]{1,128}$/.test(name)
  return (
    <Dialog
      title={t('config.new')}
      confirmText={t('config.open')}
      canConfirm={isName}
      onConfirm={() => {
        onClose()
        location.hash = addressOf(name)
      }}
      onClose={onClose}
    >
      <p>{t('config.newMeaning')}</p>
      <Field label={t('config.service')} value={name} onInput={setName} isMonospace />
    </Dialog>
  )
}

function addressOf(scope: string): string {
  return `#/config/${encodeURIComponent(scope)}`
}
