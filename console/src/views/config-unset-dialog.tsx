import { useState } from 'preact/hooks'
import { type ConfigDocument, configApi } from '../api/config-api.ts'
import { Dialog } from '../parts/dialog.tsx'
import { say } from '../parts/toasts.tsx'
import { t } from '../text/language.ts'
import { Refusal, SignatureFields, useSignature } from './config-signature.tsx'

interface ConfigUnsetDialogProps {
  readonly document: ConfigDocument
  readonly instance: string
  readonly name: string
  readonly onClose: () => void
  readonly onDone: () => void
}

/** Takes a value away from its layer: what the layer below has shows again. */
export function ConfigUnsetDialog({ document, instance, name, onClose, onDone }: ConfigUnsetDialogProps) {
  const [version] = useState(document.latest)
  const [failed, setFailed] = useState<unknown>()
  const signature = useSignature()
  const unset = async () => {
    try {
      const at = instance === '' ? {} : { instance }
      await configApi.change(document.scope, { unset: [name], ...at, ...signature.sign(version) })
    } catch (error) {
      setFailed(error)
      return
    }
    say('ok', { key: 'config.unsetDone', values: { key: name } })
    onClose()
    onDone()
  }
  return (
    <Dialog
      title={t('config.unsetNamed', { name })}
      confirmText={t('config.unset')}
      isDangerous
      canConfirm={signature.isWhole}
      onConfirm={() => void unset()}
      onClose={onClose}
    >
      <p>{t('config.unsetMeaning')}</p>
      <SignatureFields state={signature} />
      <Refusal error={failed} />
    </Dialog>
  )
}
