import { formatDurationMs } from '../base/duration.ts'
import type { LockExplanation, LockParty } from '../coordination/locks/lock-types.ts'

/** Each lock with its holder and those who wait, in order. */
export function formatLocks(locks: readonly LockExplanation[], nowMs: number): string {
  if (locks.length === 0) return 'no lock is held\n'
  return locks.map((lock) => formatLock(lock, nowMs)).join('')
}

function formatLock({ name, holder, waiters }: LockExplanation, nowMs: number): string {
  const head = holder === undefined ? `${name}: free\n` : `${name}: held by ${party(holder)}\n`
  const facts = holder === undefined ? [] : holderFacts(holder, nowMs)
  const line = waiters.map((waiter, i) => {
    const waitedMs = Math.max(0, nowMs - waiter.queuedAtMs)
    return `  ${i + 1}. waits: ${party(waiter)}, for ${formatDurationMs(waitedMs)}\n`
  })
  return head + facts.map((fact) => `  ${fact}\n`).join('') + line.join('')
}

function party({ owner, note, token }: LockParty): string {
  const who = owner ?? `token ${token}`
  return note === undefined ? who : `${who} (${note})`
}

function holderFacts(holder: LockParty, nowMs: number): string[] {
  const { token, ttlMs, heldSinceMs, sinceRenewalMs, endsInMs } = holder
  const facts = [`token ${token}, ttl ${formatDurationMs(ttlMs)}`]
  if (heldSinceMs !== undefined) facts.push(`held for ${formatDurationMs(Math.max(0, nowMs - heldSinceMs))}`)
  if (sinceRenewalMs !== undefined && endsInMs !== undefined)
    facts.push(
      `renewed ${formatDurationMs(sinceRenewalMs)} ago, passes on in ${formatDurationMs(endsInMs)} without a renewal`,
    )
  return facts
}
