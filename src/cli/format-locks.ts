import { formatDurationMs } from '../base/duration.ts'
import { formatTime } from './format-time.ts'
import type { LockExplanation, LockParty } from '../coordination/locks/lock-types.ts'
import type { ForcedRelease } from '../coordination/locks/forced-release.ts'
import type { SemaphoreExplanation } from '../coordination/semaphores/semaphore-types.ts'
import type { Party } from '../coordination/locks/party.ts'

/** Each lock with its holder and those who wait, in order. */
export function formatLocks(locks: readonly LockExplanation[], nowMs: number): string {
  if (locks.length === 0) return 'no lock is held\n'
  return locks.map((lock) => formatLock(lock, nowMs)).join('')
}

function formatLock({ name, holders, waiters }: LockExplanation, nowMs: number): string {
  const [first, ...others] = holders
  if (first === undefined) return `${name}: free\n`
  const verb = first.mode === 'read' ? 'read' : 'held'
  if (others.length === 0) return block(`${name}: ${verb} by ${party(first)}`, first, waiters, nowMs)
  const readers = holders.map((each) => `  reads: ${party(each)}, ${holderFacts(each, nowMs).join(', ')}\n`)
  return `${name}: read by ${holders.length}\n${readers.join('')}${waiting(waiters, nowMs)}`
}

function block(head: string, holder: LockParty, waiters: readonly LockParty[], nowMs: number): string {
  const facts = holderFacts(holder, nowMs).map((fact) => `  ${fact}\n`)
  return `${head}\n${facts.join('')}${waiting(waiters, nowMs)}`
}

function waiting(waiters: readonly LockParty[], nowMs: number): string {
  return waiters
    .map((waiter, i) => {
      const what = waiter.mode === 'read' ? 'waits to read' : 'waits'
      return `  ${i + 1}. ${what}: ${party(waiter)}, for ${agoMs(waiter.queuedAtMs, nowMs)}\n`
    })
    .join('')
}

export function party({ owner, note, token }: Party): string {
  const who = owner ?? `token ${token}`
  return note === undefined ? who : `${who} (${note})`
}

export function agoMs(thenMs: number, nowMs: number): string {
  return formatDurationMs(Math.max(0, nowMs - thenMs))
}

export function holderFacts(holder: Party, nowMs: number): string[] {
  const { token, ttlMs, heldSinceMs, sinceRenewalMs, endsInMs } = holder
  const facts = [`token ${token}, ttl ${formatDurationMs(ttlMs)}`]
  if (heldSinceMs !== undefined) facts.push(`held for ${agoMs(heldSinceMs, nowMs)}`)
  if (sinceRenewalMs !== undefined && endsInMs !== undefined)
    facts.push(
      `renewed ${formatDurationMs(sinceRenewalMs)} ago, passes on in ${formatDurationMs(endsInMs)} without a renewal`,
    )
  return facts
}

/** Each semaphore with its limit, its holders and those who wait, in order. */
export function formatSemaphores(found: readonly SemaphoreExplanation[], nowMs: number): string {
  if (found.length === 0) return 'no semaphore is in use\n'
  return found.map((each) => formatSemaphore(each, nowMs)).join('')
}

function formatSemaphore(semaphore: SemaphoreExplanation, nowMs: number): string {
  const { name, limit, limitSetBy, taken, holders, waiters } = semaphore
  const by = limitSetBy === undefined ? '' : `, set by ${limitSetBy}`
  const head = `${name}: ${taken} of ${limit ?? '?'} permits out${by}\n`
  const held = holders.map(
    (each) => `  holds ${each.permits}: ${party(each)}, ${holderFacts(each, nowMs).join(', ')}\n`,
  )
  const line = waiters.map(
    (each, i) =>
      `  ${i + 1}. waits for ${each.permits}: ${party(each)}, for ${agoMs(each.queuedAtMs, nowMs)}\n`,
  )
  return head + held.join('') + line.join('')
}

/** One line for each record. */
export function formatReleases(records: readonly ForcedRelease[]): string {
  if (records.length === 0) return 'nothing was released by force\n'
  return records
    .map(
      ({ name, token, by, reason, atMs, holder }) =>
        `${formatTime(atMs)} ${name}: token ${token} was taken from ${party(holder)} by ${by}: ${reason}\n`,
    )
    .join('')
}
