import { useState } from 'preact/hooks'
import { api } from '../api/client.ts'
import type { Invitation } from '../api/types.ts'
import { Dialog } from '../parts/dialog.tsx'
import { Field } from '../parts/field.tsx'
import { failurePhrase, say } from '../parts/toasts.tsx'
import { t } from '../text/language.ts'

interface InvitingProps {
  readonly onClose: () => void
  readonly onInvited: (invitation: Invitation, address: string) => void
}

export function AddMemberDialog({ onClose, onInvited }: InvitingProps) {
  const [address, setAddress] = useState('')
  const [isLearner, setLearner] = useState(false)
  const invite = async () => {
    onClose()
    const request = { ...addressed(address), ...(isLearner ? { learner: true } : {}) }
    try {
      onInvited(await api.invite(request), address.trim())
    } catch (error) {
      say('bad', failurePhrase(error))
    }
  }
  return (
    <Dialog
      title={t('membership.add')}
      confirmText={t('membership.invite')}
      onConfirm={() => void invite()}
      onClose={onClose}
    >
      <p>{t('membership.addMeaning')}</p>
      <AddressField value={address} onInput={setAddress} />
      <label class="check">
        <input
          type="checkbox"
          checked={isLearner}
          onChange={(event) => setLearner(event.currentTarget.checked)}
        />
        {t('membership.asLearner')}
      </label>
    </Dialog>
  )
}

export function ReplaceMemberDialog({ id, onClose, onInvited }: InvitingProps & { readonly id: number }) {
  const [address, setAddress] = useState('')
  const replace = async () => {
    onClose()
    try {
      onInvited(await api.replaceMember(id, addressed(address)), address.trim())
    } catch (error) {
      say('bad', failurePhrase(error))
    }
  }
  return (
    <Dialog
      title={t('membership.replaceTitle', { node: id })}
      confirmText={t('membership.replace')}
      isDangerous
      onConfirm={() => void replace()}
      onClose={onClose}
    >
      <p>{t('membership.replaceMeaning', { node: id })}</p>
      <AddressField value={address} onInput={setAddress} />
    </Dialog>
  )
}

interface RemoveMemberProps {
  readonly id: number
  readonly onClose: () => void
  readonly onDone: () => void
}

export function RemoveMemberDialog({ id, onClose, onDone }: RemoveMemberProps) {
  const remove = async () => {
    onClose()
    try {
      const { isRemoved } = await api.removeMember(id)
      say('ok', { key: isRemoved ? 'membership.removed' : 'membership.removing', values: { node: id } })
    } catch (error) {
      say('bad', failurePhrase(error))
    }
    onDone()
  }
  return (
    <Dialog
      title={t('membership.removeTitle', { node: id })}
      confirmText={t('membership.remove')}
      isDangerous
      onConfirm={() => void remove()}
      onClose={onClose}
    >
      <p>{t('membership.removeMeaning', { node: id })}</p>
    </Dialog>
  )
}

function AddressField({
  value,
  onInput,
}: {
  readonly value: string
  readonly onInput: (value: string) => void
}) {
  return (
    <Field
      label={t('membership.address')}
      value={value}
      onInput={onInput}
      placeholder="10.0.0.4:7400"
      isMonospace
    />
  )
}

function addressed(address: string): { readonly address?: string } {
  return address.trim() === '' ? {} : { address: address.trim() }
}
