import { useState } from 'preact/hooks'
import type { ConfigDocument, ConfigLayer, ConfigValue, EffectiveConfig } from '../api/config-api.ts'
import { Badge, Label } from '../parts/badge.tsx'
import { Empty, Panel } from '../parts/panel.tsx'
import { t } from '../text/language.ts'
import { ConfigEditDialog, type EditedValue } from './config-edit-dialog.tsx'
import { ConfigUnsetDialog } from './config-unset-dialog.tsx'
import { valueText } from './config-text.ts'

interface ConfigValuesProps {
  readonly document: ConfigDocument
  readonly effective: EffectiveConfig
  /** Empty: what the service has for all. */
  readonly instance: string
  readonly instances: readonly string[]
  readonly onInstance: (instance: string) => void
  readonly onDone: () => void
}

/** The merged view with where each value comes from; what is changed goes into the layer that is looked at. */
export function ConfigValuesPanel(props: ConfigValuesProps) {
  const { document, effective, instance, instances, onInstance, onDone } = props
  const [edited, setEdited] = useState<EditedValue>()
  const [unset, setUnset] = useState<string>()
  const isLocked = document.staged !== undefined
  const own: ConfigLayer = document.scope === '*' ? 'global' : instance === '' ? 'service' : 'instance'
  return (
    <Panel
      title={t('config.values')}
      note={isLocked ? t('config.locked') : t('config.valuesNote', { layer: t(`config.layer.${own}`) })}
      end={
        <span class="button-row">
          {instances.length === 0 ? null : (
            <InstanceChoice instance={instance} instances={instances} onInstance={onInstance} />
          )}
          <button
            class="button primary small"
            type="button"
            disabled={isLocked}
            onClick={() => setEdited({ key: '' })}
          >
            {t('config.add')}
          </button>
        </span>
      }
    >
      {Object.keys(effective.values).length === 0 ? (
        <Empty text={t('config.noValues')} />
      ) : (
        <ValuesTable
          effective={effective}
          own={own}
          isLocked={isLocked}
          onEdit={setEdited}
          onUnset={setUnset}
        />
      )}
      {edited === undefined ? null : (
        <ConfigEditDialog
          document={document}
          instance={instance}
          edited={edited}
          onClose={() => setEdited(undefined)}
          onDone={onDone}
        />
      )}
      {unset === undefined ? null : (
        <ConfigUnsetDialog
          document={document}
          instance={instance}
          name={unset}
          onClose={() => setUnset(undefined)}
          onDone={onDone}
        />
      )}
    </Panel>
  )
}

interface ValuesTableProps {
  readonly effective: EffectiveConfig
  readonly own: ConfigLayer
  readonly isLocked: boolean
  readonly onEdit: (edited: EditedValue) => void
  readonly onUnset: (key: string) => void
}

function ValuesTable({ effective, own, isLocked, onEdit, onUnset }: ValuesTableProps) {
  return (
    <div class="table-scroll">
      <table data-test="config-values">
        <thead>
          <tr>
            <th>{t('config.key')}</th>
            <th>{t('config.value')}</th>
            <th>{t('config.from')}</th>
            <th />
          </tr>
        </thead>
        <tbody>
          {Object.entries(effective.values).map(([key, value]) => (
            <ValueRow
              key={key}
              name={key}
              value={value}
              isOwn={value.layer === own}
              isLocked={isLocked}
              onEdit={() => onEdit({ key, value })}
              onUnset={() => onUnset(key)}
            />
          ))}
        </tbody>
      </table>
    </div>
  )
}

function InstanceChoice({
  instance,
  instances,
  onInstance,
}: Pick<ConfigValuesProps, 'instance' | 'instances' | 'onInstance'>) {
  return (
    <select
      aria-label={t('config.seenBy')}
      value={instance}
      onChange={(event) => onInstance(event.currentTarget.value)}
    >
      <option value="">{t('config.allInstances')}</option>
      {instances.map((id) => (
        <option key={id} value={id}>
          {id}
        </option>
      ))}
    </select>
  )
}

interface ValueRowProps {
  readonly name: string
  readonly value: ConfigValue & { readonly layer: ConfigLayer }
  readonly isOwn: boolean
  readonly isLocked: boolean
  readonly onEdit: () => void
  readonly onUnset: () => void
}

function ValueRow({ name, value, isOwn, isLocked, onEdit, onUnset }: ValueRowProps) {
  return (
    <tr data-key={name} data-layer={value.layer}>
      <td class="mono nowrap">{name}</td>
      <td class="mono break">
        {valueText(value)} {value.isSecret ? <Label>{t('config.sealedBy', { key: value.key })}</Label> : null}
      </td>
      <td>
        <Badge tone={isOwn ? 'accent' : 'plain'}>{t(`config.layer.${value.layer}`)}</Badge>
      </td>
      <td class="number nowrap">
        <button
          class="button small"
          type="button"
          disabled={isLocked}
          aria-label={t('config.editNamed', { name })}
          onClick={onEdit}
        >
          {t(isOwn ? 'config.edit' : 'config.override')}
        </button>{' '}
        <button
          class="button danger small"
          type="button"
          disabled={isLocked || !isOwn}
          aria-label={t('config.unsetNamed', { name })}
          onClick={onUnset}
        >
          {t('config.unset')}
        </button>
      </td>
    </tr>
  )
}
