import { useState } from 'preact/hooks'
import { api } from '../api/client.ts'
import { Dialog } from '../parts/dialog.tsx'
import { Field } from '../parts/field.tsx'
import { failurePhrase, say } from '../parts/toasts.tsx'
import { t } from '../text/language.ts'
import { operatorName, rememberOperator } from './operator-name.ts'

export interface ScheduleOrder {
  readonly kind: 'run' | 'pause' | 'resume'
  readonly name: string
}

/** Asks before an operator's order is given. Who pauses a schedule says who it is. */
export function ScheduleDialog({
  order: { kind, name },
  onClose,
  onDone,
}: {
  readonly order: ScheduleOrder
  readonly onClose: () => void
  readonly onDone: () => void
}) {
  const [by, setBy] = useState(operatorName)
  const [reason, setReason] = useState('')
  const isPause = kind === 'pause'
  const carryOut = async () => {
    onClose()
    try {
      if (isPause) {
        rememberOperator(by)
        await api.pauseSchedule(name, by.trim(), reason.trim() === '' ? undefined : reason.trim())
      } else if (kind === 'resume') await api.resumeSchedule(name)
      else await api.runSchedule(name)
      say('ok', { key: `schedules.${kind}Done`, values: { name } })
    } catch (error) {
      say('bad', failurePhrase(error))
    }
    onDone()
  }
  return (
    <Dialog
      title={t(`schedules.${kind}Title`, { name })}
      confirmText={t(`schedules.${kind}`)}
      canConfirm={!isPause || by.trim() !== ''}
      onConfirm={() => void carryOut()}
      onClose={onClose}
    >
      <p>{t(`schedules.${kind}Meaning`)}</p>
      {isPause ? (
        <>
          <Field label={t('schedules.pauseBy')} value={by} onInput={setBy} />
          <Field label={t('schedules.pauseReason')} value={reason} onInput={setReason} />
        </>
      ) : null}
    </Dialog>
  )
}
