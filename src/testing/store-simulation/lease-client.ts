import { bytesFromText } from '../../base/bytes.ts'
import type { LeaseId } from '../../contracts/store.ts'
import { attempt, type ClientContext, type ClientProgram, think } from './client-process.ts'

/** The longest ttl that is asked for. */
export const leaseTtlMsMax = 4_000

/** Takes leases, hangs keys on them, keeps them alive for a while, and then revokes or forgets them. */
export const runLeaseClient: ClientProgram = async (context) => {
  for (let number = 1; !context.isStopping(); number++) {
    await liveOnce(context, number)
    await think(context, context.configuration.thinkMsMean)
  }
}

async function liveOnce(context: ClientContext, number: number): Promise<void> {
  const { random, store } = context
  const ttlMs = random.integer(300, leaseTtlMsMax)
  const sentAt = context.nowMs()
  const grant = await attempt(context, () => store.grantLease({ ttlMs }))
  if (grant === undefined) return
  const { lease } = grant
  const acknowledgedAt = context.nowMs()
  context.observations.leases.push({ type: 'granted', lease, ttlMs: grant.ttlMs, sentAt, acknowledgedAt })
  await attachKeys(context, lease, number)
  for (let rounds = random.integer(0, 6); rounds > 0 && !context.isStopping(); rounds--) {
    await think(context, ttlMs * random.pick([0.2, 0.4, 0.8]))
    if (!(await keepAlive(context, lease))) return
  }
  if (random.chance(0.4)) await revoke(context, lease)
}

async function attachKeys(context: ClientContext, lease: LeaseId, number: number): Promise<void> {
  const { store, name, random } = context
  const then = Array.from({ length: random.integer(1, 3) }, (_, i) => ({
    op: 'put' as const,
    key: `l/${name}/${i}`,
    value: bytesFromText(`${name}-${number}`),
    lease,
  }))
  await attempt(context, () => store.txn({ then }), ['lease-not-found'])
}

async function keepAlive(context: ClientContext, lease: LeaseId): Promise<boolean> {
  const sentAt = context.nowMs()
  const grant = await attempt(context, () => context.store.keepLeaseAlive(lease), ['lease-not-found'])
  if (grant === undefined) return false
  const { ttlMs } = grant
  context.observations.leases.push({ type: 'renewed', lease, ttlMs, sentAt, acknowledgedAt: context.nowMs() })
  return true
}

async function revoke(context: ClientContext, lease: LeaseId): Promise<void> {
  context.observations.leases.push({ type: 'revoked', lease, at: context.nowMs() })
  const calledAt = context.nowMs()
  const reply = await attempt(context, () => context.store.revokeLease(lease), ['lease-not-found'])
  if (reply === undefined) return
  const { revision } = reply
  const head = { client: context.name, calledAt, returnedAt: context.nowMs() }
  context.observations.answers.push({ kind: 'revision', ...head, revision })
}
