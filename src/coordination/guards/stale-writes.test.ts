import { expect, test } from 'vitest'
import { bytesFromText } from '../../base/bytes.ts'
import { isAlthingError } from '../../contracts/errors.ts'
import type { Store, TxnRequest } from '../../contracts/store.ts'
import { ElectionService } from '../election/election.ts'
import { type Fence, fenceCompare, type FenceStamp, fencedTxn } from '../fencing.ts'
import { LockService } from '../locks/lock.ts'
import { SemaphoreService } from '../semaphores/semaphore.ts'
import { type App, attempts, withBed } from '../test-bed.test-support.ts'
import { MemoryDisk } from '../../../test/fuzz/memory-disk.ts'
import { GuardedFile } from './guarded-file.ts'
import { fenceHeader, fenceHeaders, HttpGuard } from './http-guard.ts'

/** One who held, or holds. */
interface Right {
  readonly kind: string
  readonly fence: Fence
  readonly stamp: FenceStamp
  /** By the store, with what is left of the hold itself. */
  readonly write: (key: string) => Promise<unknown>
  readonly guard: (key: string) => TxnRequest
  readonly end: () => Promise<void>
}

const put = (key: string) => ({ op: 'put', key, value: bytesFromText('x') }) as const

/** Acquires each kind of right once. */
function rightsOf({ store, world, accept }: App): readonly (() => Promise<Right>)[] {
  const parts = { store, world, accept }
  const locks = new LockService(parts)
  const semaphores = new SemaphoreService(parts)
  const elections = new ElectionService(parts)
  const held = (kind: string, hold: Awaited<ReturnType<typeof locks.acquire>>): Right => ({
    kind,
    fence: hold.fence,
    stamp: hold.stamp,
    write: (key) => hold.txn({ then: [put(key)] }),
    guard: (key) => hold.guard([put(key)]),
    end: () => hold.release(),
  })
  return [
    async () => held('lock', await locks.acquire('one')),
    async () => {
      const reader = await locks.acquire('two', { mode: 'read' })
      await reader.release()
      return held('write lock', await locks.acquire('two', { mode: 'write' }))
    },
    async () => {
      const permit = await semaphores.acquire('pool', { limit: 3 })
      return {
        kind: 'permit',
        fence: permit.fence,
        stamp: permit.stamp,
        write: (key) => permit.txn({ then: [put(key)] }),
        guard: (key) => permit.guard([put(key)]),
        end: () => permit.release(),
      }
    },
    async () => {
      const leadership = await elections.campaign('group', { value: 'here' })
      const { fence } = leadership
      return {
        kind: 'leadership',
        fence,
        stamp: fence,
        write: (key) => leadership.txn({ then: [put(key)] }),
        guard: (key) => ({ compare: [fenceCompare(fence)], then: [put(key)] }),
        end: () => leadership.resign(),
      }
    },
  ]
}

/** The ways in which a right can be used. Each says whether the write was taken. */
class Ways {
  readonly #store: Store
  readonly #file: GuardedFile
  readonly #http = new HttpGuard()

  constructor(store: Store, file: GuardedFile) {
    this.#store = store
    this.#file = file
  }

  of(right: Right): readonly (() => Promise<boolean>)[] {
    const { kind, fence, stamp } = right
    const key = `written by ${kind}`
    return [
      () => taken(right.write(key)),
      () => taken(fencedTxn(this.#store, fence, { then: [put(key)] })),
      async () => (await this.#store.txn(right.guard(key))).succeeded,
      async () => (await this.#http.check(kind, fenceHeaders(stamp)[fenceHeader])).isAdmitted,
      // A file has one content: permits, of which several are out, are refused whether stale or not.
      () => taken(this.#file.write(stamp, bytesFromText(`${fence.token}`))),
    ]
  }
}

async function taken(write: Promise<unknown>): Promise<boolean> {
  try {
    await write
    return true
  } catch (error) {
    if (isAlthingError(error) && ['stale-token', 'lost', 'invalid-argument'].includes(error.code))
      return false
    throw error
  }
}

test('writes of former holders, by every way, are all refused: 10,000 of them in the simulator', async () => {
  await withBed(async (app) => {
    let tried = 0
    const rounds = attempts({ simulated: 50, real: 4 })
    for (const acquire of rightsOf(app)) {
      const disk = new MemoryDisk()
      const ways = new Ways(app.store, new GuardedFile({ disk, random: app.world.random }, 'file'))
      const former: Right[] = []
      for (let n = 0; n < 10; n++) {
        const right = await acquire()
        for (const [way, use] of ways.of(right).entries()) {
          expect([right.kind, way, await use()]).toEqual([
            right.kind,
            way,
            way !== 4 || right.kind !== 'permit',
          ])
        }
        await right.end()
        former.push(right)
      }
      const present = await acquire()
      for (const use of ways.of(present)) await use()
      const key = `written by ${present.kind}`
      const before = (await app.store.range({ key })).kvs[0]?.modRevision
      for (let round = 0; round < rounds; round++) {
        const uses = former.flatMap((right) => ways.of(right))
        const outcomes = await Promise.all(uses.map((use) => use()))
        expect([present.kind, outcomes.filter(Boolean)]).toEqual([present.kind, []])
        tried += outcomes.length
      }
      expect((await app.store.range({ key })).kvs[0]?.modRevision).toBe(before)
      for (const use of ways.of(present).slice(0, 4)) expect(await use()).toBe(true)
      await present.end()
    }
    expect(tried).toBe(rounds * 200)
  })
})
