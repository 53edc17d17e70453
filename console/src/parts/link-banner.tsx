import {
  httpAddresses,
  lastHeardMs,
  linkState,
  nowMs,
  refusal,
  selfId,
  selfStatus,
  snapshot,
} from '../live/live-state.ts'
import { user } from '../live/login-state.ts'
import { view } from '../route.ts'
import { formatDuration } from '../text/format.ts'
import { locale, t } from '../text/language.ts'

/** Says, above every view, that what is shown is old, or that the node behind this page is not ready; and where to go on. */
export function LinkBanner() {
  const state = linkState.value
  if (refusal.value !== undefined) {
    return (
      <div class="notice bad" role="alert">
        <strong>{t('signIn.refused', { user: user.value === '' ? '–' : user.value })}</strong>
        <span class="dim">{refusal.value}</span>
      </div>
    )
  }
  if (state === 'connecting') {
    return (
      <div class="notice" role="status">
        {t('link.connectingMeaning')}
      </div>
    )
  }
  if (state === 'lost' || state === 'stale') return <OldData state={state} />
  const status = selfStatus.value
  if (status === undefined || status.isReady) return null
  return (
    <div class="notice warn" role="alert">
      <strong>{t('link.notReady', { node: status.id })}</strong>
      <span>{t('link.notReadyMeaning')}</span>
      {status.problem === undefined ? null : <span class="dim">{status.problem}</span>}
    </div>
  )
}

function OldData({ state }: { readonly state: 'lost' | 'stale' }) {
  const age = formatDuration(nowMs.value - lastHeardMs.value, locale.value)
  return (
    <div class={`notice ${state === 'lost' ? 'bad' : 'warn'}`} role="alert">
      <strong>
        {selfId.value === 0
          ? t(`link.${state}TitleUnnamed`)
          : t(`link.${state}Title`, { node: selfId.value })}
      </strong>
      <span>{snapshot.value === undefined ? t('link.retrying') : t('link.oldData', { age })}</span>
      <Elsewhere />
    </div>
  )
}

/** The same page at the other nodes that answered when last heard of. */
function Elsewhere() {
  const answered = new Set(
    snapshot.value?.cluster.members.flatMap(({ id, status }) => (status === null ? [] : id)),
  )
  const others = [...httpAddresses.value]
    .filter(([id]) => id !== selfId.value && answered.has(id))
    .toSorted(([a], [b]) => a - b)
  if (others.length === 0) return null
  return (
    <span>
      {t('link.elsewhere')}{' '}
      {others.map(([id, address], i) => (
        <>
          {i === 0 ? '' : ' · '}
          <a href={`http://${address}/#/${view.value}`}>{t('member.name', { node: id })}</a>
        </>
      ))}
    </span>
  )
}
