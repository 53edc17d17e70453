import { api } from '../api/client.ts'
import type { KeyItem } from '../api/types.ts'
import { Dialog } from '../parts/dialog.tsx'
import { failurePhrase, say } from '../parts/toasts.tsx'
import { t } from '../text/language.ts'
import { isInternal } from './key-pages.ts'
import { refresh, select } from './keys-state.ts'

interface DeleteDialogProps {
  readonly item: KeyItem
  readonly name: string
  readonly onClose: () => void
}

/** Deletes the version that is on the screen, and no later one. */
export function DeleteDialog({ item, name, onClose }: DeleteDialogProps) {
  const remove = async () => {
    onClose()
    try {
      await api.remove(name, item.modRevision)
    } catch (error) {
      say('bad', failurePhrase(error))
      return
    }
    say('ok', { key: 'keys.deleted', values: { key: name } })
    select(undefined)
    refresh()
  }
  return (
    <Dialog
      title={t('keys.deleteTitle')}
      confirmText={t('keys.delete')}
      isDangerous
      onConfirm={() => void remove()}
      onClose={onClose}
    >
      <p class="key-name">{name}</p>
      <p class="dim">{t('keys.deleteMeaning', { revision: item.modRevision })}</p>
      {isInternal(name) ? <p class="notice warn">{t('keys.internal')}</p> : null}
    </Dialog>
  )
}
