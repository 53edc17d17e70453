import { useState } from 'preact/hooks'
import type { LockExplanation, LockParty } from '../api/types.ts'
import { clusterNowMs, locks, problemOfParts } from '../live/live-state.ts'
import { Label } from '../parts/badge.tsx'
import { Empty, Panel } from '../parts/panel.tsx'
import { PartProblem } from '../parts/part-problem.tsx'
import { formatDuration, formatMoment } from '../text/format.ts'
import { locale, t } from '../text/language.ts'
import { ForceReleaseDialog } from './force-release-dialog.tsx'

export function LocksView() {
  const [releasing, setReleasing] = useState<LockExplanation>()
  return (
    <>
      <div class="view-head">
        <h1>{t('nav.locks')}</h1>
        <p>{t('locks.about')}</p>
      </div>
      <PartProblem problem={problemOfParts('locks')} />
      {locks.value.length === 0 ? (
        <section class="panel">
          <Empty text={t('locks.none')} command="npx althing lock nightly -- node job.js" />
        </section>
      ) : (
        locks.value.map((lock) => (
          <LockPanel key={lock.name} lock={lock} onForce={() => setReleasing(lock)} />
        ))
      )}
      {releasing === undefined ? null : (
        <ForceReleaseDialog lock={releasing} onClose={() => setReleasing(undefined)} />
      )}
    </>
  )
}

function LockPanel({ lock, onForce }: { readonly lock: LockExplanation; readonly onForce: () => void }) {
  const { name, holder, waiters } = lock
  const force = (
    <button class="button danger small" type="button" disabled={holder === undefined} onClick={onForce}>
      {t('locks.force')}
    </button>
  )
  return (
    <Panel
      title={<span class="mono break">{name}</span>}
      note={waiters.length === 0 ? t('locks.noWaiters') : t('locks.waiters', { count: waiters.length })}
      end={force}
      isPadded
    >
      <ol class="queue" data-lock={name}>
        {holder === undefined ? null : <Party party={holder} place={0} />}
        {waiters.map((waiter, i) => (
          <Party key={waiter.token} party={waiter} place={i + 1} />
        ))}
      </ol>
    </Panel>
  )
}

/** `place` 0 is the holder. */
function Party({ party, place }: { readonly party: LockParty; readonly place: number }) {
  const sinceMs = party.heldSinceMs ?? party.queuedAtMs
  const since = formatDuration(clusterNowMs.value - sinceMs, locale.value)
  return (
    <li data-place={place}>
      <span class="dim number">{place === 0 ? '●' : place}</span>
      <div>
        <strong>
          {t(place === 0 ? 'locks.holds' : 'locks.waits', { owner: party.owner ?? t('locks.noOwner') })}
        </strong>{' '}
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
    </li>
  )
}
