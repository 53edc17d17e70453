import { useState } from 'preact/hooks'
import { api } from '../api/client.ts'
import type { LockParty, PermitParty } from '../api/types.ts'
import { Dialog } from '../parts/dialog.tsx'
import { Field } from '../parts/field.tsx'
import { failurePhrase, say } from '../parts/toasts.tsx'
import { t } from '../text/language.ts'
import { operatorName, rememberOperator } from './operator-name.ts'

/** The holder at the moment of the question: a later one is not the one that was meant. */
export interface Forced {
  readonly kind: 'locks' | 'semaphores'
  readonly name: string
  readonly holder: LockParty | PermitParty
  /** The other locks that this holder has with it. */
  readonly together: readonly string[]
}

/** Takes a lock or permits from a holder. The name must be typed, and who does it and why goes into the record. */
export function ForceReleaseDialog({
  forced,
  onClose,
}: {
  readonly forced: Forced
  readonly onClose: () => void
}) {
  const { kind, name, holder, together } = forced
  const [typed, setTyped] = useState('')
  const [by, setBy] = useState(operatorName)
  const [reason, setReason] = useState('')
  const release = async () => {
    rememberOperator(by)
    onClose()
    try {
      await api.forceRelease(kind, name, { by: by.trim(), reason: reason.trim(), token: holder.token })
      say('ok', { key: 'locks.forced', values: { name } })
    } catch (error) {
      say('bad', failurePhrase(error))
    }
  }
  const owner = holder.owner ?? t('locks.noOwner')
  return (
    <Dialog
      title={t('locks.forceTitle', { name })}
      confirmText={t('locks.force')}
      isDangerous
      canConfirm={typed === name && by.trim() !== '' && reason.trim() !== ''}
      onConfirm={() => void release()}
      onClose={onClose}
    >
      <p>{t(kind === 'locks' ? 'locks.forceMeaning' : 'semaphores.forceMeaning', { owner })}</p>
      {together.length === 0 ? null : (
        <p>{t('locks.forceTogether', { owner, names: together.join(', ') })}</p>
      )}
      <Field label={t('locks.forceBy')} value={by} onInput={setBy} />
      <Field label={t('locks.forceReason')} value={reason} onInput={setReason} />
      <Field
        label={t(kind === 'locks' ? 'locks.forceType' : 'semaphores.forceType', { name })}
        value={typed}
        onInput={setTyped}
        isMonospace
      />
    </Dialog>
  )
}
