import { useState } from 'preact/hooks'
import { api } from '../api/client.ts'
import type { LockExplanation } from '../api/types.ts'
import { Dialog } from '../parts/dialog.tsx'
import { Field } from '../parts/field.tsx'
import { failurePhrase, say } from '../parts/toasts.tsx'
import { t } from '../text/language.ts'

export const operatorKey = 'althing.operator'

/** Takes a lock from its holder. The name must be typed, and who does it and why goes into the record. */
export function ForceReleaseDialog({
  lock,
  onClose,
}: {
  readonly lock: LockExplanation
  readonly onClose: () => void
}) {
  const { name, holder } = lock
  // The holder at the moment of the question: a later one is not the one that was meant.
  const [token] = useState(holder?.token ?? 0)
  const [typed, setTyped] = useState('')
  const [by, setBy] = useState(localStorage.getItem(operatorKey) ?? '')
  const [reason, setReason] = useState('')
  const release = async () => {
    localStorage.setItem(operatorKey, by)
    onClose()
    try {
      await api.forceRelease(name, by.trim(), reason.trim(), token)
      say('ok', { key: 'locks.forced', values: { name } })
    } catch (error) {
      say('bad', failurePhrase(error))
    }
  }
  return (
    <Dialog
      title={t('locks.forceTitle', { name })}
      confirmText={t('locks.force')}
      isDangerous
      canConfirm={typed === name && by.trim() !== '' && reason.trim() !== ''}
      onConfirm={() => void release()}
      onClose={onClose}
    >
      <p>{t('locks.forceMeaning', { owner: holder?.owner ?? t('locks.noOwner') })}</p>
      <Field label={t('locks.forceBy')} value={by} onInput={setBy} />
      <Field label={t('locks.forceReason')} value={reason} onInput={setReason} />
      <Field label={t('locks.forceType', { name })} value={typed} onInput={setTyped} isMonospace />
    </Dialog>
  )
}
