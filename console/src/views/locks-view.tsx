import { useState } from 'preact/hooks'
import type { LockExplanation, LockParty, PermitParty, SemaphoreExplanation } from '../api/types.ts'
import { locks, problemOfParts, semaphores } from '../live/live-state.ts'
import { Label } from '../parts/badge.tsx'
import { Empty, Panel } from '../parts/panel.tsx'
import { PartProblem } from '../parts/part-problem.tsx'
import { t } from '../text/language.ts'
import { type Forced, ForceReleaseDialog } from './force-release-dialog.tsx'
import { namesHeldTogether } from './held-together.ts'
import { PartyRow } from './party-row.tsx'
import { SetLimitDialog } from './set-limit-dialog.tsx'

export function LocksView() {
  const [forced, setForced] = useState<Forced>()
  const [limited, setLimited] = useState<SemaphoreExplanation>()
  return (
    <>
      <div class="view-head">
        <h1>{t('nav.locks')}</h1>
        <p>{t('locks.about')}</p>
      </div>
      <PartProblem problem={problemOfParts('locks', 'semaphores')} />
      {locks.value.length === 0 ? (
        <section class="panel">
          <Empty text={t('locks.none')} command="npx althing lock nightly -- node job.js" />
        </section>
      ) : (
        locks.value.map((lock) => <LockPanel key={lock.name} lock={lock} onForce={setForced} />)
      )}
      <div class="view-head">
        <h2>{t('semaphores.title')}</h2>
        <p>{t('semaphores.about')}</p>
      </div>
      {semaphores.value.length === 0 ? (
        <section class="panel">
          <Empty text={t('semaphores.none')} command="npx althing lock imports --limit 3 -- node job.js" />
        </section>
      ) : (
        semaphores.value.map((each) => (
          <SemaphorePanel
            key={each.name}
            semaphore={each}
            onForce={setForced}
            onLimit={() => setLimited(each)}
          />
        ))
      )}
      {forced === undefined ? null : (
        <ForceReleaseDialog forced={forced} onClose={() => setForced(undefined)} />
      )}
      {limited === undefined ? null : (
        <SetLimitDialog semaphore={limited} onClose={() => setLimited(undefined)} />
      )}
    </>
  )
}

function LockPanel({
  lock,
  onForce,
}: {
  readonly lock: LockExplanation
  readonly onForce: (forced: Forced) => void
}) {
  const { name, holders, waiters } = lock
  const marks = (party: LockParty) => {
    const others = namesHeldTogether(locks.value, name, party)
    return (
      <>
        {party.mode === 'read' ? <Label>{t('locks.reads')}</Label> : null}
        {others.length === 0 ? null : <Label>{t('locks.together', { names: others.join(', ') })}</Label>}
      </>
    )
  }
  return (
    <Panel title={<span class="mono break">{name}</span>} note={lineNote(waiters.length)} isPadded>
      <ol class="queue" data-lock={name}>
        {holders.map((holder) => {
          const together = namesHeldTogether(locks.value, name, holder)
          return (
            <PartyRow
              key={holder.token}
              party={holder}
              place={0}
              marks={marks(holder)}
              onForce={() => onForce({ kind: 'locks', name, holder, together })}
            />
          )
        })}
        {waiters.map((waiter, i) => (
          <PartyRow key={waiter.token} party={waiter} place={i + 1} marks={marks(waiter)} />
        ))}
      </ol>
    </Panel>
  )
}

function SemaphorePanel({
  semaphore,
  onForce,
  onLimit,
}: {
  readonly semaphore: SemaphoreExplanation
  readonly onForce: (forced: Forced) => void
  readonly onLimit: () => void
}) {
  const { name, limit, limitSetBy, taken, holders, waiters } = semaphore
  const marks = ({ permits }: PermitParty) => <Label>{t('semaphores.permits', { count: permits })}</Label>
  const out = t('semaphores.out', { taken, limit: limit ?? '?' })
  const by = limitSetBy === undefined ? '' : ` · ${t('semaphores.setBy', { by: limitSetBy })}`
  return (
    <Panel
      title={<span class="mono break">{name}</span>}
      note={`${out}${by} · ${lineNote(waiters.length)}`}
      end={
        <button class="button small" type="button" onClick={onLimit}>
          {t('semaphores.setLimit')}
        </button>
      }
      isPadded
    >
      <ol class="queue" data-semaphore={name}>
        {holders.map((holder) => (
          <PartyRow
            key={holder.token}
            party={holder}
            place={0}
            marks={marks(holder)}
            onForce={() => onForce({ kind: 'semaphores', name, holder, together: [] })}
          />
        ))}
        {waiters.map((waiter, i) => (
          <PartyRow key={waiter.token} party={waiter} place={i + 1} marks={marks(waiter)} />
        ))}
      </ol>
    </Panel>
  )
}

function lineNote(waiters: number): string {
  return waiters === 0 ? t('locks.noWaiters') : t('locks.waiters', { count: waiters })
}
