import { isAlthingError } from '../../contracts/errors.ts'
import type { Compare, Operation, Store } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { pause } from '../abortable.ts'
import type { ExclusiveHold } from '../exclusive-hold.ts'
import { fencedTxn } from '../fencing.ts'
import { changeOperations, decodeState, runKey, scheduleKey } from './cron-keys.ts'
import { CronChange, type CronEnd } from './cron-state.ts'
import type { CronActive } from './cron-types.ts'

export interface RecordEndOptions {
  readonly store: Store
  readonly world: World
  readonly name: string
  readonly active: CronActive
  readonly hold: ExclusiveHold
  readonly end: CronEnd
}

const retryMs = 200

/**
 * Writes how a run ended, and gives its right up, in one transaction under its fence; tries for as long as it holds the right. Does nothing when the right is lost:
 * others have told, or will tell, that it was interrupted.
 */
export async function recordEnd(options: RecordEndOptions): Promise<void> {
  const { world, hold } = options
  if (!hold.isHeld) return
  for (;;) {
    try {
      if (await recordOnce(options)) return
    } catch (error) {
      // The last try may have come through after all.
      if (isAlthingError(error, 'stale-token')) return
      const isOver = world.clock.monotonicMs() + retryMs > hold.validUntilMs()
      if (isOver || !isAlthingError(error) || !error.retryable) throw error
      await pause(world, retryMs)
    }
  }
}

/** Returns false when the state was changed meanwhile. */
async function recordOnce({ store, name, active, hold, end }: RecordEndOptions): Promise<boolean> {
  const key = scheduleKey(name)
  const { kvs } = await store.range({ key })
  const kv = kvs[0]
  // It was removed meanwhile: there is nothing to tell any more.
  if (kv === undefined) return true
  const change = new CronChange(decodeState(kv))
  if (!change.finish(active, end)) return true
  const compare: Compare[] = [{ target: 'modRevision', key, op: '=', value: kv.modRevision }]
  const then: Operation[] = [...changeOperations(name, change), { op: 'delete', key: runKey(name, active) }]
  if (hold.isHeld) return await hold.handOver(then, compare)
  // A try before this one, of unknown outcome, has given the right up here already.
  return (await fencedTxn(store, hold.fence, { compare, then })).succeeded
}
