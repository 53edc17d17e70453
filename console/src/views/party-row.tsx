import type { ComponentChildren } from 'preact'
import type { LockParty, PermitParty } from '../api/types.ts'
import { clusterNowMs } from '../live/live-state.ts'
import { Label } from '../parts/badge.tsx'
import { formatDuration, formatMoment } from '../text/format.ts'
import { locale, t } from '../text/language.ts'

interface PartyRowProps {
  readonly party: LockParty | PermitParty
  /** 0: it holds. */
  readonly place: number
  readonly marks: ComponentChildren
  /** Only of a holder. */
  readonly onForce?: () => void
}

/** One that holds a lock or permits, or waits for them. */
export function PartyRow({ party, place, marks, onForce }: PartyRowProps) {
  const sinceMs = party.heldSinceMs ?? party.queuedAtMs
  const since = formatDuration(clusterNowMs.value - sinceMs, locale.value)
  return (
    <li data-place={place} data-token={party.token}>
      <span class="dim number">{place === 0 ? '●' : place}</span>
      <div>
        <strong>
          {t(place === 0 ? 'locks.holds' : 'locks.waits', { owner: party.owner ?? t('locks.noOwner') })}
        </strong>{' '}
        {marks}{' '}
        <span class="dim" title={formatMoment(sinceMs, locale.value)}>
          {t('locks.since', { since })} · {t('locks.token', { token: party.token })} ·{' '}
          {t('locks.ttl', { ttl: formatDuration(party.ttlMs, locale.value) })}
          {party.endsInMs === undefined || place > 0
            ? ''
            : ` · ${t('locks.endsIn', { time: formatDuration(party.endsInMs, locale.value) })}`}
        </span>
        {party.note === undefined ? null : <div class="break">{party.note}</div>}
        {party.traceId === undefined ? null : <Label>{party.traceId}</Label>}
      </div>
      {onForce === undefined ? null : (
        <button class="button danger small" type="button" onClick={onForce}>
          {t('locks.force')}
        </button>
      )}
    </li>
  )
}
