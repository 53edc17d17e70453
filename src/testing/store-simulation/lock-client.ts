import { bytesFromText } from '../../base/bytes.ts'
import { fencedTxn } from '../../coordination/fencing.ts'
import { LockService } from '../../coordination/locks/lock.ts'
import type { Lock } from '../../coordination/locks/lock-types.ts'
import { attempt, type ClientContext, type ClientProgram, sleep, think } from './client-process.ts'

/** The ttl of locks: with it a dead holder's lock passes on within the run. */
export const lockTtlMs = 1_500

/** The key that a lock guards. */
export function guardedKey(lock: string): string {
  return `r/${lock}`
}

/** Takes locks, works under them, and at times goes on to write after it lost them. */
export const runLockClient: ClientProgram = async (context) => {
  const service = new LockService({ store: context.store, world: context.world })
  while (!context.isStopping()) {
    await holdOnce(context, service)
    await think(context, context.configuration.thinkMsMean)
  }
  await service.close()
}

async function holdOnce(context: ClientContext, service: LockService): Promise<void> {
  const { random, configuration, observations } = context
  const name = `lock${random.integer(1, configuration.locks)}`
  const waitTimeout = random.pick([1_000, 4_000])
  const lock = await attempt(context, () => service.acquire(name, { ttl: lockTtlMs, waitTimeout }), [
    'lost',
    'lease-not-found',
  ])
  if (lock === undefined) return
  observations.locks.acquired(context.nowMs(), context.name, lock)
  const endAt = context.nowMs() + random.exponential(3_000)
  let writes = 0
  while (context.nowMs() < endAt && lock.isHeld && !context.isStopping()) {
    await write(context, lock, ++writes)
    await sleep(context.world, random.exponential(300))
  }
  if (random.chance(0.3)) await writeLate(context, lock)
  observations.locks.look(context.nowMs())
  await attempt(context, () => lock.release(), ['lost', 'stale-token'])
}

async function write(context: ClientContext, lock: Lock, number: number): Promise<void> {
  const value = bytesFromText(`${lock.token}:${context.name}-${number}`)
  const then = [{ op: 'put' as const, key: guardedKey(lock.name), value }]
  await attempt(context, () => lock.txn({ then }), ['lost', 'stale-token'])
}

/** As a program would that knows nothing of its loss: only the store can refuse it. */
async function writeLate(context: ClientContext, lock: Lock): Promise<void> {
  const value = bytesFromText(`${lock.token}:${context.name}-late`)
  const then = [{ op: 'put' as const, key: guardedKey(lock.name), value }]
  await attempt(context, () => fencedTxn(context.store, lock.fence, { then }), ['stale-token'])
}
