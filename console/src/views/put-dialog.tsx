import { useState } from 'preact/hooks'
import { api } from '../api/client.ts'
import type { KeyItem } from '../api/types.ts'
import { Dialog } from '../parts/dialog.tsx'
import { Field } from '../parts/field.tsx'
import { failurePhrase, say } from '../parts/toasts.tsx'
import type { Phrase } from '../text/fill-in.ts'
import { t } from '../text/language.ts'
import { isInternal } from './key-pages.ts'
import { refresh } from './keys-state.ts'
import { bytesOf, textOf } from './value-text.ts'

interface PutDialogProps {
  /** The version that is to be replaced; absent for a new key. */
  readonly item?: KeyItem
  readonly name?: string
  readonly onClose: () => void
  readonly onDone: (key: string) => void
}

/** Writes a key only if nobody else has changed it, or made it, in the meantime. */
export function PutDialog({ item, name = '', onClose, onDone }: PutDialogProps) {
  const before = item === undefined ? '' : textOf(bytesOf(item))
  const [key, setKey] = useState(name)
  const [value, setValue] = useState(before ?? '')
  const [failed, setFailed] = useState<Phrase>()
  const put = async () => {
    try {
      await api.put(key, value, item?.modRevision ?? 0)
    } catch (error) {
      setFailed(failurePhrase(error))
      return
    }
    say('ok', { key: 'keys.wrote', values: { key } })
    onClose()
    onDone(key)
    refresh()
  }
  return (
    <Dialog
      title={t(item === undefined ? 'keys.putTitle' : 'keys.editTitle')}
      confirmText={t('keys.write')}
      canConfirm={key !== ''}
      onConfirm={() => void put()}
      onClose={onClose}
    >
      <Field label={t('keys.key')} value={key} onInput={setKey} isMonospace readOnly={item !== undefined} />
      <Field label={t('keys.value')} value={value} onInput={setValue} isLong />
      <p class="dim">
        {item === undefined ? t('keys.onlyNew') : t('keys.onlyUnchanged', { revision: item.modRevision })}
      </p>
      {before === undefined ? <p class="notice warn">{t('keys.replacesBinary')}</p> : null}
      {item !== undefined && item.lease !== 0 ? <p class="notice warn">{t('keys.losesLease')}</p> : null}
      {isInternal(key) ? <p class="notice warn">{t('keys.internal')}</p> : null}
      {failed === undefined ? null : (
        <p class="notice bad" role="alert">
          {t(failed.key, failed.values)}
        </p>
      )}
    </Dialog>
  )
}
