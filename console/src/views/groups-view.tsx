import { useState } from 'preact/hooks'
import { api } from '../api/client.ts'
import type { GroupView } from '../api/types.ts'
import { usePolled } from '../live/polled.ts'
import { Badge, Label } from '../parts/badge.tsx'
import { Dialog } from '../parts/dialog.tsx'
import { Field } from '../parts/field.tsx'
import { Panel } from '../parts/panel.tsx'
import { PartProblem } from '../parts/part-problem.tsx'
import { QuotaBar } from '../parts/quota-bar.tsx'
import { failurePhrase, say } from '../parts/toasts.tsx'
import { formatBytes, formatCount, none } from '../text/format.ts'
import { locale, t } from '../text/language.ts'

/** Stores of their own beside the cluster's: who leads each, where it is, how large. */
export function GroupsView() {
  const { value, problem, refresh } = usePolled(api.groups)
  const [isCreating, setCreating] = useState(false)
  const [removed, setRemoved] = useState<string>()
  return (
    <>
      <div class="view-head">
        <h1>{t('nav.groups')}</h1>
        <span class="actions">
          <button class="button primary" type="button" onClick={() => setCreating(true)}>
            {t('groups.create')}
          </button>
        </span>
        <p>{t('groups.about')}</p>
      </div>
      <PartProblem problem={problem} />
      <Panel title={t('groups.title')}>
        <div class="table-scroll">
          <table data-test="groups">
            <thead>
              <tr>
                <th>{t('groups.name')}</th>
                <th>{t('groups.leader')}</th>
                <th>{t('groups.copies')}</th>
                <th class="number">{t('members.term')}</th>
                <th class="number">{t('tile.keys')}</th>
                <th class="number">{t('groups.size')}</th>
                <th style={{ minWidth: '120px' }}>{t('groups.quota')}</th>
                <th />
              </tr>
            </thead>
            <tbody>
              {(value ?? []).map((group) => (
                <GroupRow key={group.id} group={group} onRemove={() => setRemoved(group.name)} />
              ))}
            </tbody>
          </table>
        </div>
      </Panel>
      {isCreating ? <CreateDialog onClose={() => setCreating(false)} onDone={refresh} /> : null}
      {removed === undefined ? null : (
        <RemoveDialog name={removed} onClose={() => setRemoved(undefined)} onDone={refresh} />
      )}
    </>
  )
}

function GroupRow({ group, onRemove }: { readonly group: GroupView; readonly onRemove: () => void }) {
  const { id, name, leader, term, keys, bytes, quotaBytes, isSettled } = group
  const isOwn = id === 1
  return (
    <tr data-group={name}>
      <td>
        <strong class="mono">{name}</strong> {isOwn ? <Label>{t('groups.own')}</Label> : null}
      </td>
      <td>
        {leader === 0 ? (
          <Badge tone="bad">{t('elections.nobody')}</Badge>
        ) : (
          <Badge tone="accent">{t('member.name', { node: leader })}</Badge>
        )}
      </td>
      <td class="nowrap">
        {copiesOf(group)} {isSettled ? null : <Badge tone="warn">{t('groups.moving')}</Badge>}
      </td>
      <td class="number">{term === 0 ? none : formatCount(term, locale.value)}</td>
      <td class="number">{formatCount(keys, locale.value)}</td>
      <td class="number nowrap">{formatBytes(bytes, locale.value)}</td>
      <td>{quotaBytes === 0 ? none : <QuotaBar share={bytes / quotaBytes} />}</td>
      <td class="number">
        {isOwn ? null : (
          <button
            class="button danger small"
            type="button"
            aria-label={t('groups.removeNamed', { name })}
            onClick={onRemove}
          >
            {t('groups.remove')}
          </button>
        )}
      </td>
    </tr>
  )
}

/** Where the copies are, the one that leads first; a copy that is far behind with its lag. */
function copiesOf({ copies, members, leader }: GroupView): string {
  const nodes = copies.length === 0 ? members : copies.map(({ node }) => node)
  return nodes
    .toSorted((a, b) => Number(b === leader) - Number(a === leader) || a - b)
    .map((node) => {
      const copy = copies.find((each) => each.node === node)
      return copy !== undefined && copy.behind > lagShown ? `${node} (−${copy.behind})` : String(node)
    })
    .join(', ')
}

const lagShown = 1_000

interface DialogProps {
  readonly onClose: () => void
  readonly onDone: () => void
}

function CreateDialog({ onClose, onDone }: DialogProps) {
  const [name, setName] = useState('')
  const [replicas, setReplicas] = useState('3')
  const count = Number(replicas)
  const create = async () => {
    onClose()
    try {
      const { members } = await api.createGroup(name.trim(), count)
      say('ok', { key: 'groups.created', values: { name: name.trim(), members: members.join(', ') } })
    } catch (error) {
      say('bad', failurePhrase(error))
    }
    onDone()
  }
  return (
    <Dialog
      title={t('groups.create')}
      confirmText={t('groups.create')}
      canConfirm={/^[a-z0-9][a-z0-9._-]{0,62}$/.test(name.trim()) && Number.isInteger(count) && count > 0}
      onConfirm={() => void create()}
      onClose={onClose}
    >
      <p>{t('groups.createMeaning')}</p>
      <Field label={t('groups.newName')} value={name} onInput={setName} isMonospace />
      <Field label={t('groups.replicas')} value={replicas} onInput={setReplicas} />
    </Dialog>
  )
}

function RemoveDialog({ name, onClose, onDone }: DialogProps & { readonly name: string }) {
  const [typed, setTyped] = useState('')
  const remove = async () => {
    onClose()
    try {
      await api.removeGroup(name)
      say('ok', { key: 'groups.removed', values: { name } })
    } catch (error) {
      say('bad', failurePhrase(error))
    }
    onDone()
  }
  return (
    <Dialog
      title={t('groups.removeTitle', { name })}
      confirmText={t('groups.remove')}
      isDangerous
      canConfirm={typed === name}
      onConfirm={() => void remove()}
      onClose={onClose}
    >
      <p>{t('groups.removeMeaning')}</p>
      <Field label={t('groups.removeType', { name })} value={typed} onInput={setTyped} isMonospace />
    </Dialog>
  )
}
