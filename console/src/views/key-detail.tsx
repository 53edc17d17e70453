import { useState } from 'preact/hooks'
import type { KeyItem } from '../api/types.ts'
import { Empty } from '../parts/panel.tsx'
import { formatBytes } from '../text/format.ts'
import { locale, t } from '../text/language.ts'
import { DeleteDialog } from './delete-dialog.tsx'
import { KeyHistory } from './key-history.tsx'
import { select, selectedItem, selectedKey } from './keys-state.ts'
import { PutDialog } from './put-dialog.tsx'
import { ValueView } from './value-view.tsx'
import { bytesOf } from './value-text.ts'

export function KeyDetail() {
  const key = selectedKey.value
  const item = selectedItem.value
  if (key === undefined) {
    return (
      <section class="panel">
        <Empty text={t('keys.choose')} />
      </section>
    )
  }
  if (item === undefined) return <section class="panel" aria-busy="true" />
  if (item === null) {
    return (
      <section class="panel">
        <Empty text={t('keys.gone', { key })} />
      </section>
    )
  }
  return <Item key={key} item={item} name={key} />
}

function Item({ item, name }: { readonly item: KeyItem; readonly name: string }) {
  const [dialog, setDialog] = useState<'put' | 'delete'>()
  const close = () => setDialog(undefined)
  const bytes = bytesOf(item)
  return (
    <section class="panel" data-test="key">
      <div class="panel-head">
        <span class="key-name">{name}</span>
        <span class="button-row end">
          <button class="button small" type="button" onClick={() => setDialog('put')}>
            {t('keys.edit')}
          </button>
          <button class="button small danger" type="button" onClick={() => setDialog('delete')}>
            {t('keys.delete')}
          </button>
        </span>
      </div>
      <div class="panel-body key-detail">
        <dl class="facts">
          <dt>{t('keys.modified')}</dt>
          <dd>{t('keys.revision', { revision: item.modRevision })}</dd>
          <dt>{t('keys.created')}</dt>
          <dd>{t('keys.revision', { revision: item.createRevision })}</dd>
          <dt>{t('keys.version')}</dt>
          <dd>{item.version}</dd>
          <dt>{t('keys.size')}</dt>
          <dd>{formatBytes(bytes.length, locale.value)}</dd>
          <dt>{t('keys.lease')}</dt>
          <dd>{item.lease === 0 ? t('keys.noLease') : t('keys.hasLease', { lease: item.lease })}</dd>
        </dl>
        <ValueView bytes={bytes} />
        <KeyHistory name={name} newest={item} />
      </div>
      {dialog === 'put' ? <PutDialog item={item} name={name} onClose={close} onDone={select} /> : null}
      {dialog === 'delete' ? <DeleteDialog item={item} name={name} onClose={close} /> : null}
    </section>
  )
}
