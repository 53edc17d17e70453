import { describe, expect, test } from 'vitest'
import { bytesFromText, textFromBytes } from '../../../base/bytes.ts'
import { isAlthingError } from '../../../contracts/errors.ts'
import { writeSnapshot } from '../../../models/store/snapshot.ts'
import { StoreModel } from '../../../models/store/store-model.ts'
import type { StoreCommand } from '../../../models/store/types.ts'
import type { Plain } from '../operator-calls.ts'
import type { CalledNode } from '../operator-links.ts'
import { accessPrefix } from '../../../models/store/system-keys.ts'
import { backupState } from './backup-state.ts'
import { readBackup } from './backup-reader.ts'
import { BackupWriter } from './backup-writer.ts'
import { groupKeys } from '../groups/group-descriptor.ts'
import { descriptorsIn, placeRestored, restoredOwnState, restoredState } from './restored-state.ts'
import { takeBackup } from './take-backup.ts'
import { verifyBackup } from './verify-backup.ts'

const manifest = {
  clusterId: 'old',
  node: 2,
  version: '1.0.0',
  takenAtMs: 1_700_000_000_000,
  withoutAccess: false,
  serializable: false,
}

function command(body: object): StoreCommand {
  return { session: 0, sequence: 0, acknowledged: 0, ...body } as StoreCommand
}

const put = (key: string, value: string, lease = 0): StoreCommand =>
  command({
    type: 'txn',
    compare: [],
    then: [{ op: 'put', key, value: bytesFromText(value), lease }],
    else: [],
  })

/** A store with a session, a lease, history, and a user. */
function filledModel(): StoreModel {
  const model = new StoreModel()
  model.apply({ type: 'openSession', ownerKey: 'someone' })
  model.apply(command({ type: 'grantLease', ttlMs: 10_000 }))
  for (let i = 0; i < 50; i++) model.apply(put(`key/${i % 20}`, `value ${i}`, i % 2))
  model.apply(put(`${accessPrefix}users/ann`, 'secret of ann'))
  model.apply(put('key/last', 'last'))
  return model
}

function backupOf(model: StoreModel, withoutAccess = false): Buffer {
  const state = backupState(model.freeze(), withoutAccess)
  const writer = new BackupWriter()
  const { revision, compactRevision, current } = state.keys
  const leases = state.leases.ttls.size
  const group = { group: 1, name: 'default', revision, compactRevision, index: 7, keys: current.size, leases }
  const parts = [...writer.begin({ ...manifest, withoutAccess }), ...writer.beginGroup(group)]
  for (const chunk of writeSnapshot(state)) parts.push(...writer.data(chunk))
  return Buffer.concat([...parts, ...writer.endGroup(), ...writer.end()])
}

async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size)
}

async function failureOf(bytes: Uint8Array): Promise<unknown> {
  try {
    for await (const part of readBackup(inPieces(bytes, 1_000), 'file')) if (part.type === 'end') continue
  } catch (error) {
    return error
  }
  return undefined
}

function keysOf(model: StoreModel): string[] {
  return model.range({ key: '', end: null }).kvs.map(({ key, value }) => `${key}=${textFromBytes(value)}`)
}

describe('a backup', () => {
  test('gives back the state, however its bytes are cut', async () => {
    const model = filledModel()
    const bytes = backupOf(model)
    for (const size of [1, 7, 4_096, bytes.length]) {
      const { groups, end } = await verifyBackup(inPieces(bytes, size), 'file')
      expect(end.groups).toBe(1)
      const again = new StoreModel()
      again.restore(writeSnapshot(groups[0]?.state ?? expect.fail()))
      expect(keysOf(again)).toEqual(keysOf(model))
      expect(again.revision).toBe(model.revision)
      expect(again.leases()).toEqual(model.leases())
      expect(again.stats.sessions).toBe(0)
    }
  })

  test('is refused with file and offset when any byte of it is another', async () => {
    const bytes = backupOf(filledModel())
    for (let at = 0; at < bytes.length; at++) {
      const damaged = Buffer.from(bytes)
      damaged.writeUInt8(damaged.readUInt8(at) ^ 0x10, at)
      const error = await failureOf(damaged)
      const isRefused = isAlthingError(error, 'corrupt') || (at < 12 && isAlthingError(error))
      expect(isRefused, `byte ${at}: ${String(error)}`).toBe(true)
      if (at >= 12) expect((error as Error).message).toMatch(/^file at offset \d+: /)
    }
  })

  test('is refused when it is torn anywhere, or goes on after its end', async () => {
    const bytes = backupOf(filledModel())
    for (let length = 0; length < bytes.length; length += 3) {
      const error = await failureOf(bytes.subarray(0, length))
      expect(isAlthingError(error, 'corrupt'), `${length} bytes: ${String(error)}`).toBe(true)
    }
    expect(isAlthingError(await failureOf(Buffer.concat([bytes, Buffer.alloc(1)])), 'corrupt')).toBe(true)
  })

  test('holds no user, not even in its history, when taken without access', async () => {
    const bytes = backupOf(filledModel(), true)
    expect(bytes.includes('ann')).toBe(false)
    expect(backupOf(filledModel()).includes('secret of ann')).toBe(true)
    const { groups } = await verifyBackup(inPieces(bytes, 4_096), 'file')
    expect(groups[0]?.keys).toBe(filledModel().stats.keys - 1)
  })
})

describe('a restored state', () => {
  const restored = (bumpRevision: number): StoreModel => {
    const model = new StoreModel()
    model.restore(writeSnapshot(restoredState(filledModel().freeze(), bumpRevision)))
    return model
  }

  test('is ahead of all that the old cluster may have said, and has the same keys', () => {
    const old = filledModel()
    const model = restored(1_000)
    expect(keysOf(model)).toEqual(keysOf(old))
    expect(model.revision).toBe(old.revision + 1_000)
    expect(() => model.eventsBetween({ key: '', end: null }, old.revision + 5, old.revision + 5)).toThrow(
      expect.objectContaining({ code: 'compacted' }),
    )
    const next = model.apply(put('after', 'restore'))
    expect(next).toMatchObject({ reply: { revision: old.revision + 1_001 } })
  })

  test('keeps the revision when it is not to be raised', () => {
    const old = filledModel()
    expect(restored(0).revision).toBe(old.revision)
    expect(restored(0).range({ key: '', end: null })).toEqual(old.range({ key: '', end: null }))
  })

  test('of the cluster itself knows the new members only, and the groups that were restored', () => {
    const model = filledModel()
    const group = {
      name: 'x',
      replicas: 3,
      members: [7, 8, 9],
      founders: [7],
      placed: [7, 8, 9],
      former: [6],
    }
    model.apply(put('\0members/0000000007', '{"id":7}'))
    model.apply(put('\0member-counter', '10'))
    for (const id of [2, 3]) model.apply(put(groupKeys.descriptor(id), JSON.stringify({ id, ...group })))
    const state = model.freeze()
    const found = descriptorsIn(state)
    expect(found.map(({ id }) => id)).toEqual([2, 3])
    const placement = placeRestored(found.slice(1), [1, 2])
    const again = new StoreModel()
    again.restore(writeSnapshot(restoredOwnState(restoredState(state, 5), [1, 2], placement)))
    expect(again.revision).toBe(model.revision + 5)
    expect(keysOf(again).filter((key) => key.startsWith('\0'))).toEqual([
      `${accessPrefix}users/ann=secret of ann`,
      `${groupKeys.descriptor(3)}=${JSON.stringify({ id: 3, ...group, members: [1, 2], founders: [1, 2], placed: [1, 2], former: [] })}`,
      '\0member-counter=10',
    ])
  })

  test('knows no session of the old cluster, and gives none of its numbers again', () => {
    const model = restored(0)
    const stamp = { session: 1, sequence: 1, acknowledged: 0 }
    expect(model.apply({ ...put('a', 'b'), ...stamp } as StoreCommand)).toMatchObject({
      ok: false,
      error: { code: 'session-expired', outcome: 'unknown' },
    })
    expect(model.apply({ type: 'openSession', ownerKey: 'x' })).toMatchObject({ session: 1_000_002 })
    expect(model.apply(command({ type: 'grantLease', ttlMs: 1_000 }))).toMatchObject({ lease: 1_000_002 })
    expect(model.leases()).toHaveLength(2)
  })
})

describe('taking a backup', () => {
  test('ends it on the node when the reader leaves early', async () => {
    const asked: string[] = []
    const node: CalledNode = {
      operate: async (name): Promise<Plain> => {
        asked.push(name)
        if (name === 'backup.read') return { data: new Uint8Array(10), done: false }
        const numbers = {
          id: 3,
          node: 1,
          group: 1,
          revision: 5,
          compactRevision: 0,
          index: 9,
          keys: 1,
          leases: 0,
        }
        return { ...numbers, clusterId: 'old', version: '1', name: '' }
      },
    }
    const backup = takeBackup({ groups: [{ group: 1, node }], takenAtMs: 0 })
    for (let i = 0; i < 4; i++) await backup.next()
    await backup.return(undefined as never)
    expect(asked).toEqual(['backup.begin', 'backup.read', 'backup.read', 'backup.end'])
  })
})
