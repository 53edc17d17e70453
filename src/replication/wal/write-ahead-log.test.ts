import { describe, expect, test } from 'vitest'
import type { Entry } from '../../protocols/raft/types.ts'
import { SeededRandom } from '../../testing/world/seeded-random.ts'
import { type LoneGroup, openLoneGroup } from '../lone-group.testkit.ts'
import type { DiskStorageOptions } from '../storage.ts'
import { FaultDisk, worldWithDisk } from './fault-disk.testkit.ts'

const identity = { clusterId: 'test', nodeId: 1 }

function open(disk: FaultDisk, options: DiskStorageOptions = {}): Promise<LoneGroup> {
  return openLoneGroup(worldWithDisk(disk), 'node', { identity, segmentBytes: 65_536, ...options })
}

function entries(from: number, count: number, bytes = 20): Entry[] {
  return Array.from({ length: count }, (_, i) => ({
    index: from + i,
    term: 1,
    kind: 'command' as const,
    data: new Uint8Array(bytes).fill(i + 1),
  }))
}

async function refused(promise: Promise<unknown>): Promise<{ code?: string; message: string }> {
  return promise.then(
    () => ({ message: 'it was not refused' }),
    (error: { code?: string; message: string }) => error,
  )
}

describe('group commit', () => {
  test('appends of one turn are one durable write, and resolve in their order', async () => {
    const disk = new FaultDisk()
    const { storage } = await open(disk)
    await storage.append({ entries: entries(1, 1) })
    await storage.append({ entries: entries(2, 1) })
    const before = disk.durableWrites.length
    const order: number[] = []
    const appends = [3, 4, 5, 6].map((index) =>
      storage.append({ entries: entries(index, 1) }).then(() => order.push(index)),
    )
    await Promise.all(appends)
    expect(disk.durableWrites.length - before).toBe(1)
    expect(order).toEqual([3, 4, 5, 6])
  })

  test('appends that arrive during a write are the next one together', async () => {
    const disk = new FaultDisk()
    const { storage } = await open(disk)
    await storage.append({ entries: entries(1, 1) })
    await storage.append({ entries: entries(2, 1) })
    const before = disk.durableWrites.length
    const first = storage.append({ entries: entries(3, 1) })
    await Promise.resolve()
    await Promise.resolve()
    const later = [4, 5, 6].map((index) => storage.append({ entries: entries(index, 1) }))
    await Promise.all([first, ...later])
    expect(disk.durableWrites.length - before).toBe(2)
  })

  test('an append over the bound of a group is split, and resolves with its last part', async () => {
    const disk = new FaultDisk()
    const { storage } = await open(disk, { groupBytesMax: 1000 })
    await storage.append({ entries: entries(1, 20, 200) })
    const { restored } = await open(new FaultDisk(disk.files()))
    expect(restored.entries.length).toBe(20)
  })

  test('a record larger than a segment gets a segment of its own', async () => {
    const disk = new FaultDisk()
    const { storage } = await open(disk, { segmentBytes: 4096 })
    await storage.append({ entries: entries(1, 3, 9000) })
    await storage.append({ entries: entries(4, 1) })
    const { restored } = await open(new FaultDisk(disk.files()))
    expect(restored.entries.map(({ index, data }) => [index, data.length, data.at(-1)])).toEqual([
      [1, 9000, 1],
      [2, 9000, 2],
      [3, 9000, 3],
      [4, 20, 1],
    ])
  })
})

describe('compaction', () => {
  test('removes whole segments up to the index and keeps the hard state', async () => {
    const disk = new FaultDisk()
    const { storage } = await open(disk, { segmentBytes: 4096 })
    await storage.append({ hardState: { term: 7, vote: 3 }, entries: [] })
    for (let index = 1; index <= 30; index++) await storage.append({ entries: entries(index, 1, 500) })
    const meta = { index: 25, term: 1, configuration: { voters: [1] } }
    await storage.saveSnapshot(meta, [])
    await storage.compact(25)
    const { restored } = await open(new FaultDisk(disk.files()))
    expect(restored.hardState).toEqual({ term: 7, vote: 3 })
    expect(restored.snapshot).toEqual(meta)
    expect(restored.entries[0]?.index).toBeGreaterThan(15)
    expect(restored.entries[0]?.index).toBeLessThanOrEqual(26)
    expect(restored.entries.at(-1)?.index).toBe(30)
  })
})

describe('a disk that fails', () => {
  test.each(['writeDurably', 'truncate', 'rename', 'syncDirectory'])(
    'at %s is failed for good',
    async (operation) => {
      const disk = new FaultDisk()
      const { storage } = await open(disk, { segmentBytes: 4096 })
      await storage.append({ entries: entries(1, 1, 3000) })
      let failures = 0
      disk.fault = (name) => {
        if (name !== operation || failures > 0) return
        failures++
        throw Object.assign(new Error('input/output error'), { code: 'EIO' })
      }
      const first = storage.append({ entries: entries(2, 1, 3000) })
      const second = storage.append({ entries: entries(3, 1, 3000) })
      expect(await refused(first)).toMatchObject({ code: 'disk-failed', outcome: 'unknown' })
      expect(await refused(second)).toMatchObject({ code: 'disk-failed' })
      expect(await refused(storage.append({ entries: entries(2, 1) }))).toMatchObject({ code: 'disk-failed' })
      expect(await refused(storage.compact(1))).toMatchObject({ code: 'disk-failed' })
      expect(await refused(storage.openSnapshot())).toMatchObject({ code: 'disk-failed' })
      expect(failures).toBe(1)
      await storage.close()
    },
  )

  test('because it is full says so', async () => {
    const disk = new FaultDisk()
    const { storage } = await open(disk)
    disk.fault = () => {
      throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
    }
    const error = await refused(storage.append({ entries: entries(1, 1) }))
    expect(error.message).toMatch(/The disk is full: free some space/)
  })
})

describe('identity', () => {
  test('the folder of another node or cluster is refused', async () => {
    const disk = new FaultDisk()
    await (await open(disk)).storage.close()
    const other = { clusterId: 'test', nodeId: 2 }
    expect(await refused(open(new FaultDisk(disk.files()), { identity: other }))).toMatchObject({
      code: 'conflict',
    })
    const foreign = { clusterId: 'other', nodeId: 1 }
    expect(await refused(open(new FaultDisk(disk.files()), { identity: foreign }))).toMatchObject({
      code: 'conflict',
    })
  })

  test('an empty folder is not made into a node unless an identity is given', async () => {
    const world = worldWithDisk(new FaultDisk())
    expect(await refused(openLoneGroup(world, 'node', {}))).toMatchObject({ code: 'not-found' })
  })

  test('is read from the folder when none is given', async () => {
    const disk = new FaultDisk()
    await (await open(disk)).storage.close()
    const opened = await openLoneGroup(worldWithDisk(new FaultDisk(disk.files())), 'node', {})
    expect(opened.identity).toEqual(identity)
    expect(opened.created).toBe(false)
  })
})

test('what a restart has read survives a power failure, though the killed process had not synced it', async () => {
  const disk = new FaultDisk()
  const { storage } = await open(disk)
  await storage.append({ entries: entries(1, 2) })
  await storage.close()
  const path = 'node/wal-0000000001.log'
  const killed = new FaultDisk(disk.files())
  const inode = killed.names.get(path) as { bytes: Buffer; durable: Buffer }
  inode.durable = Buffer.from(inode.bytes).fill(0, 1024)
  expect((await open(killed)).restored.entries.length).toBe(2)
  killed.crash = { atOperation: 0, tear: (_written, before) => before, losesUnsynced: true }
  expect((await open(new FaultDisk(killed.afterCrash()))).restored.entries.length).toBe(2)
})

test('after close nothing is taken', async () => {
  const { storage } = await open(new FaultDisk())
  const last = storage.append({ entries: entries(1, 1) })
  await storage.close()
  await last
  expect(await refused(storage.append({ entries: entries(2, 1) }))).toMatchObject({ code: 'closed' })
  expect(await refused(storage.openSnapshot())).toMatchObject({ code: 'closed' })
})

describe('zeros laid ahead', () => {
  const mebibyte = 1024 * 1024

  test('are never on their way to where a record is written, however large the records and slow the zeros', async () => {
    const random = new SeededRandom('zeros ahead')
    const disk = new FaultDisk()
    const { storage } = await open(disk, { segmentBytes: 16 * mebibyte })
    // So long that they are under way while the next record, or two, come.
    disk.delay = async (length) => {
      if (length !== mebibyte) return
      for (let turn = random.integer(0, 400); turn > 0; turn--) await Promise.resolve()
    }
    const sizes = Array.from({ length: 24 }, () =>
      random.integer(1, random.pick([100, 1_000_000, 3_000_000])),
    )
    for (const [i, size] of sizes.entries()) await storage.append({ entries: entries(i + 1, 1, size) })
    expect(disk.overlaps).toEqual([])
    await storage.close()
    const { restored } = await open(new FaultDisk(disk.files()))
    expect(restored.entries.map(({ data }) => data.length)).toEqual(sizes)
  })
})
