import { useState } from 'preact/hooks'
import { api } from '../api/client.ts'
import type { SemaphoreExplanation } from '../api/types.ts'
import { Dialog } from '../parts/dialog.tsx'
import { Field } from '../parts/field.tsx'
import { failurePhrase, say } from '../parts/toasts.tsx'
import { t } from '../text/language.ts'
import { operatorName, rememberOperator } from './operator-name.ts'

/** Sets how many permits there are, for all; an empty field takes back what was set. Who does it and why goes into the record. */
export function SetLimitDialog({
  semaphore,
  onClose,
}: {
  readonly semaphore: SemaphoreExplanation
  readonly onClose: () => void
}) {
  const { name, limit, limitSetBy } = semaphore
  const [typed, setTyped] = useState(limit === undefined ? '' : String(limit))
  const [by, setBy] = useState(operatorName)
  const [reason, setReason] = useState('')
  const wanted = typed.trim() === '' ? null : Number(typed)
  const isValid =
    wanted === null
      ? limitSetBy !== undefined
      : Number.isInteger(wanted) && wanted >= 1 && wanted <= 1_000_000
  const set = async () => {
    rememberOperator(by)
    onClose()
    try {
      await api.setLimit(name, { limit: wanted, by: by.trim(), reason: reason.trim() })
      if (wanted === null) say('ok', { key: 'semaphores.limitTakenBack', values: { name } })
      else say('ok', { key: 'semaphores.limitIsSet', values: { name, limit: wanted } })
    } catch (error) {
      say('bad', failurePhrase(error))
    }
  }
  return (
    <Dialog
      title={t('semaphores.limitTitle', { name })}
      confirmText={t('semaphores.setLimit')}
      canConfirm={isValid && by.trim() !== '' && reason.trim() !== ''}
      onConfirm={() => void set()}
      onClose={onClose}
    >
      <p>{t('semaphores.limitMeaning')}</p>
      <Field label={t('semaphores.limit')} value={typed} onInput={setTyped} isMonospace />
      <Field label={t('locks.forceBy')} value={by} onInput={setBy} />
      <Field label={t('locks.forceReason')} value={reason} onInput={setReason} />
    </Dialog>
  )
}
