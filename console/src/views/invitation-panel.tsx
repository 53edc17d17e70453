import type { Invitation } from '../api/types.ts'
import { clusterNowMs } from '../live/live-state.ts'
import { Command } from '../parts/command.tsx'
import { Panel } from '../parts/panel.tsx'
import { formatDuration } from '../text/format.ts'
import { locale, t } from '../text/language.ts'

interface InvitationPanelProps {
  readonly invitation: Invitation
  readonly address: string
  readonly onClose: () => void
}

/** The command that the new member is started with. It holds a secret, which is shown once. */
export function InvitationPanel({ invitation, address, onClose }: InvitationPanelProps) {
  const { id, token, expiresWallMs } = invitation
  const listen = address === '' ? 'HOST:PORT' : address
  const time = formatDuration(expiresWallMs - clusterNowMs.value, locale.value)
  return (
    <Panel
      title={t('membership.invitedTitle', { node: id })}
      note={t('membership.invitedNote', { time })}
      end={
        <button class="quiet" type="button" aria-label={t('app.dismiss')} onClick={onClose}>
          ×
        </button>
      }
      isPadded
    >
      <div data-test="invitation">
        <p>{t('membership.invitedMeaning')}</p>
        <Command text={`npx althing join ${token} --listen ${listen} --data ./data/node-${id}`} />
      </div>
    </Panel>
  )
}
