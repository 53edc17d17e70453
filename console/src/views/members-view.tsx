import { useState } from 'preact/hooks'
import { api, type MemberAction } from '../api/client.ts'
import type { Invitation } from '../api/types.ts'
import { snapshot } from '../live/live-state.ts'
import { type MemberLine, memberLines } from '../live/member-list.ts'
import { usePolled } from '../live/polled.ts'
import { Panel } from '../parts/panel.tsx'
import { PartProblem } from '../parts/part-problem.tsx'
import { failurePhrase, say } from '../parts/toasts.tsx'
import { t } from '../text/language.ts'
import { InvitationPanel } from './invitation-panel.tsx'
import { AddMemberDialog, RemoveMemberDialog, ReplaceMemberDialog } from './member-dialogs.tsx'
import { MemberRow } from './member-row.tsx'

type Question = { readonly what: 'add' } | { readonly what: 'remove' | 'replace'; readonly id: number }

/** Who belongs to the cluster, and how that is changed. */
export function MembersView() {
  const { value, problem, refresh } = usePolled(api.members)
  const [question, setQuestion] = useState<Question>()
  const [invitation, setInvitation] = useState<{ readonly of: Invitation; readonly address: string }>()
  const cluster = snapshot.value?.cluster
  const lines = cluster === undefined ? [] : memberLines(cluster, value)
  const close = () => setQuestion(undefined)
  const invited = (of: Invitation, address: string) => {
    setInvitation({ of, address })
    refresh()
  }
  return (
    <>
      <div class="view-head">
        <h1>{t('nav.members')}</h1>
        <span class="actions">
          <button class="button primary" type="button" onClick={() => setQuestion({ what: 'add' })}>
            {t('membership.add')}
          </button>
        </span>
        <p>{t('membership.about')}</p>
      </div>
      <PartProblem problem={problem} />
      {invitation === undefined ? null : (
        <InvitationPanel
          invitation={invitation.of}
          address={invitation.address}
          onClose={() => setInvitation(undefined)}
        />
      )}
      <Panel title={t('members.title')} note={votersNote(lines)}>
        <ul data-test="membership">
          {lines.map((line) => (
            <MemberRow
              key={line.id}
              line={line}
              onAction={(action) => void act(line.id, action, refresh)}
              onRemove={() => setQuestion({ what: 'remove', id: line.id })}
              onReplace={() => setQuestion({ what: 'replace', id: line.id })}
            />
          ))}
        </ul>
      </Panel>
      {question?.what === 'add' ? <AddMemberDialog onClose={close} onInvited={invited} /> : null}
      {question?.what === 'replace' ? (
        <ReplaceMemberDialog id={question.id} onClose={close} onInvited={invited} />
      ) : null}
      {question?.what === 'remove' ? (
        <RemoveMemberDialog id={question.id} onClose={close} onDone={refresh} />
      ) : null}
    </>
  )
}

function votersNote(lines: readonly MemberLine[]): string {
  const voters = lines.filter(({ role }) => role === 'voter').length
  const quorum = Math.floor(voters / 2) + 1
  return t('membership.voters', { voters, quorum, spare: Math.max(0, voters - quorum) })
}

async function act(id: number, action: MemberAction, done: () => void): Promise<void> {
  try {
    await api.memberAction(id, action)
    say('ok', { key: `membership.did.${action}`, values: { node: id } })
  } catch (error) {
    say('bad', failurePhrase(error))
  }
  done()
}
