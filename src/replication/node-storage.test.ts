import { describe, expect, test } from 'vitest'
import type { Entry } from '../protocols/raft/types.ts'
import {
  createMemoryNodeStorage,
  type DiskSpace,
  type GroupId,
  type NodeStorage,
  openNodeStorage,
} from './node-storage.ts'
import type { DiskStorageOptions, RaftStorage } from './storage.ts'
import { FaultDisk, worldWithDisk } from './wal/fault-disk.testkit.ts'

const identity = { clusterId: 'test', nodeId: 1 }
const initial = { voters: [1, 2], learners: [3], addresses: { 1: 'a:1', 2: 'b:2', 3: 'c:3' } }

function open(disk: FaultDisk, options: DiskStorageOptions = {}): Promise<NodeStorage> {
  return openNodeStorage(worldWithDisk(disk), 'node', { identity, segmentBytes: 4096, ...options })
}

function storageOf(node: NodeStorage, id: GroupId): RaftStorage {
  return (node.groups.get(id) as { storage: RaftStorage }).storage
}

function entry(index: number, bytes = 20, term = 1): Entry {
  return { index, term, kind: 'command', data: new Uint8Array(bytes).fill(index) }
}

async function append(node: NodeStorage, id: GroupId, from: number, to: number, bytes = 500): Promise<void> {
  for (let index = from; index <= to; index++)
    await storageOf(node, id).append({ hardState: { term: 1, vote: id }, entries: [entry(index, bytes)] })
}

function segmentsOf(disk: FaultDisk): string[] {
  return [...disk.names.keys()].filter((path) => path.endsWith('.log'))
}

async function snapshot(node: NodeStorage, id: GroupId, index: number): Promise<void> {
  await storageOf(node, id).saveSnapshot({ index, term: 1, configuration: initial }, [])
}

/** Lets what goes on in the background end. */
async function settle(): Promise<void> {
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve))
}

async function refused(promise: Promise<unknown>): Promise<{ code?: string; message: string }> {
  return promise.then(
    () => ({ message: 'it was not refused' }),
    (error: { code?: string; message: string }) => error,
  )
}

describe.each(['disk', 'memory'] as const)('the groups of a node (%s)', (kind) => {
  const start = (): Promise<NodeStorage> =>
    kind === 'disk' ? open(new FaultDisk()) : Promise.resolve(createMemoryNodeStorage(identity))

  test('can be removed while a snapshot of one is being written or received: the others go on', async () => {
    const node = await start()
    for (const id of [1, 3]) await node.createGroup(id, initial)
    await append(node, 3, 1, 2)
    let isWriting = false
    async function* slowly(): AsyncGenerator<Uint8Array> {
      for (let i = 0; i < 100; i++) {
        isWriting = true
        await new Promise((resolve) => setImmediate(resolve))
        yield new Uint8Array(1_000)
      }
    }
    const meta = { index: 2, term: 1, configuration: initial }
    const saving = refused(storageOf(node, 3).saveSnapshot(meta, slowly()))
    const receiver = storageOf(node, 3).receiveSnapshot({ ...meta, index: 9 }, 1)
    const receiving = receiver.write(0, new Uint8Array(100))
    while (!isWriting) await new Promise((resolve) => setImmediate(resolve))
    await node.removeGroup(3)
    expect(await saving).toMatchObject({ code: 'closed' })
    await receiving
    await receiver.abort()
    await append(node, 1, 1, 3)
    await node.close()
  })

  test('are made once, empty, with their first configuration', async () => {
    const node = await start()
    expect([node.created, node.identity, node.groups.size]).toEqual([true, identity, 0])
    const { restored } = await node.createGroup(7, initial)
    expect(restored).toEqual({ hardState: { term: 0, vote: 0 }, entries: [], initialConfiguration: initial })
    expect(await refused(node.createGroup(7, initial))).toMatchObject({ code: 'conflict', outcome: 'none' })
    for (const id of [0, 1.5, 2 ** 32, -1])
      expect(await refused(node.createGroup(id, initial))).toMatchObject({ code: 'invalid-argument' })
    expect([...node.groups.keys()]).toEqual([7])
  })

  test('are removed for good, and nothing is taken for them any more', async () => {
    const node = await start()
    const { storage } = await node.createGroup(7, initial)
    await node.createGroup(8, initial)
    await storage.append({ entries: [entry(1)] })
    await node.removeGroup(7)
    expect([...node.groups.keys()]).toEqual([8])
    expect(await refused(storage.append({ entries: [entry(2)] }))).toMatchObject({ code: 'closed' })
    expect(await refused(storage.openSnapshot())).toMatchObject({ code: 'closed' })
    expect(await refused(node.removeGroup(7))).toMatchObject({ code: 'not-found' })
    expect(await refused(node.createGroup(7, initial))).toMatchObject({ code: 'conflict' })
    await storageOf(node, 8).append({ entries: [entry(1)] })
  })

  test('can leave and come back: with an empty log, but with the term and vote they had, and where their log had ended', async () => {
    const node = await start()
    const { storage } = await node.createGroup(7, initial)
    await storage.append({ hardState: { term: 3, vote: 2 }, entries: [entry(1, 20, 2), entry(2, 20, 3)] })
    await node.retireGroup(7, { index: 2, term: 3 })
    expect([...node.groups.keys(), ...node.retired]).toEqual([7])
    expect(await refused(storage.append({ entries: [entry(3)] }))).toMatchObject({ code: 'closed' })
    expect(await refused(node.retireGroup(7, { index: 2, term: 3 }))).toMatchObject({
      code: 'not-found',
      outcome: 'none',
    })
    const { restored } = await node.createGroup(7, initial)
    expect(restored).toEqual({
      hardState: { term: 3, vote: 2 },
      entries: [],
      initialConfiguration: { voters: [] },
      votingFloor: { index: 2, term: 3 },
    })
    expect(await refused(node.createGroup(7, initial))).toMatchObject({ code: 'conflict' })
    expect(await storageOf(node, 7).openSnapshot()).toBeUndefined()
  })

  test.each([
    ['a longer log', { index: 3, term: 1 }, { index: 3, term: 1 }],
    ['a later term', { index: 1, term: 2 }, { index: 1, term: 2 }],
    ['a shorter log', { index: 1, term: 1 }, { index: 2, term: 1 }],
    ['an earlier term', { index: 9, term: 0 }, { index: 2, term: 1 }],
  ])('that leave a second time, with %s, keep the later end of the two', async (_, second, kept) => {
    const node = await start()
    const first = await node.createGroup(7, initial)
    await first.storage.append({ hardState: { term: 1, vote: 2 }, entries: [entry(1), entry(2)] })
    await node.retireGroup(7, { index: 2, term: 1 })
    const again = await node.createGroup(7, initial)
    await again.storage.append({ hardState: { term: 5, vote: 0 }, entries: [] })
    await node.retireGroup(7, second)
    const { restored } = await node.createGroup(7, initial)
    expect([restored.hardState, restored.votingFloor]).toEqual([{ term: 5, vote: 0 }, kept])
  })

  test('that come back and leave again at once have voted no more and no less', async () => {
    const node = await start()
    const { storage } = await node.createGroup(7, initial)
    await storage.append({ hardState: { term: 3, vote: 2 }, entries: [] })
    await node.retireGroup(7, { index: 0, term: 0 })
    await node.createGroup(7, initial)
    await node.retireGroup(7, { index: 0, term: 0 })
    const { restored } = await node.createGroup(7, initial)
    expect(restored).toMatchObject({ hardState: { term: 3, vote: 2 }, votingFloor: { index: 0, term: 0 } })
  })

  test('that have left can be removed for good, with or without a new copy', async () => {
    const node = await start()
    for (const id of [1, 7, 8]) await node.createGroup(id, initial)
    for (const id of [7, 8]) await node.retireGroup(id, { index: 0, term: 0 })
    await node.createGroup(8, initial)
    for (const id of [7, 8]) {
      await node.removeGroup(id)
      expect(await refused(node.removeGroup(id))).toMatchObject({ code: 'not-found' })
      expect(await refused(node.createGroup(id, initial))).toMatchObject({ code: 'conflict' })
    }
    expect([[...node.groups.keys()], node.retired.size]).toEqual([[1], 0])
  })

  test('end with the node: nothing is taken after its close', async () => {
    const node = await start()
    const { storage } = await node.createGroup(1, initial)
    await node.close()
    await node.close()
    expect(await refused(storage.append({ entries: [entry(1)] }))).toMatchObject({ code: 'closed' })
    expect(await refused(node.createGroup(2, initial))).toMatchObject({ code: 'closed' })
    expect(await refused(node.retireGroup(1, { index: 1, term: 1 }))).toMatchObject({ code: 'closed' })
    expect(await refused(node.removeGroup(1))).toMatchObject({ code: 'closed' })
  })
})

describe('on a disk', () => {
  test('each group finds what is its own after a restart', async () => {
    const disk = new FaultDisk()
    const node = await open(disk)
    for (const id of [1, 2, 300]) {
      await node.createGroup(id, { voters: [id] })
      await append(node, id, 1, id % 7)
    }
    await node.createGroup(4, initial)
    await node.removeGroup(2)
    await node.close()
    const again = await open(new FaultDisk(disk.files()), {})
    expect(again.created).toBe(false)
    const found = [...again.groups].map(([id, { restored }]) => [
      id,
      restored.hardState.vote,
      restored.entries.map(({ index, data }) => [index, data[0]]),
      restored.initialConfiguration,
    ])
    expect(found).toEqual([
      [1, 1, [[1, 1]], { voters: [1] }],
      [300, 300, [1, 2, 3, 4, 5, 6].map((index) => [index, index]), { voters: [300] }],
      [4, 0, [], initial],
    ])
  })

  test('what a group that has left had voted is found after restarts, and nothing else of it', async () => {
    let disk = new FaultDisk()
    let node = await open(disk)
    const restart = async (): Promise<void> => {
      await node.close()
      disk = new FaultDisk(disk.files())
      node = await open(disk)
    }
    for (const id of [1, 7]) await node.createGroup(id, initial)
    await append(node, 7, 1, 6)
    await snapshot(node, 7, 4)
    await node.retireGroup(7, { index: 6, term: 1 })
    await restart()
    expect([[...node.groups.keys()], [...node.retired]]).toEqual([[1], [7]])
    // Its segments go, and what is kept of it goes on in those that follow.
    await append(node, 1, 1, 30)
    await snapshot(node, 1, 30)
    await storageOf(node, 1).compact(30)
    expect(segmentsOf(disk).length).toBe(1)
    await restart()
    const back = {
      hardState: { term: 1, vote: 7 },
      entries: [],
      initialConfiguration: { voters: [] },
      votingFloor: { index: 6, term: 1 },
    }
    expect((await node.createGroup(7, initial)).restored).toEqual(back)
    await restart()
    expect(node.groups.get(7)?.restored).toEqual(back)
    await append(node, 7, 1, 2)
    await restart()
    const { restored } = node.groups.get(7) as {
      restored: { entries: readonly Entry[]; votingFloor?: object }
    }
    expect([restored.entries.map(({ index }) => index), restored.votingFloor]).toEqual([
      [1, 2],
      back.votingFloor,
    ])
    await node.removeGroup(7)
    await restart()
    expect([node.groups.has(7), node.retired.has(7)]).toEqual([false, false])
    expect(await refused(node.createGroup(7, initial))).toMatchObject({ code: 'conflict' })
  })

  test.each([false, true])(
    'a new copy of a group keeps no segment for what the one before it had there (restarted: %s)',
    async (isRestarted) => {
      let disk = new FaultDisk()
      let node = await open(disk)
      for (const id of [1, 2]) await node.createGroup(id, initial)
      await append(node, 2, 1, 2)
      await node.retireGroup(2, { index: 2, term: 1 })
      await node.createGroup(2, initial)
      await append(node, 1, 1, 30)
      await append(node, 2, 1, 8)
      expect(segmentsOf(disk)[0]).toBe('node/wal-0000000001.log')
      if (isRestarted) {
        await node.close()
        disk = new FaultDisk(disk.files())
        node = await open(disk)
      }
      await snapshot(node, 1, 30)
      await storageOf(node, 1).compact(30)
      expect(segmentsOf(disk)[0]).not.toBe('node/wal-0000000001.log')
      await node.close()
      const again = await open(new FaultDisk(disk.files()))
      expect(again.groups.get(2)?.restored.entries.length).toBe(8)
    },
  )

  test('what reads a snapshot of a copy that has left does not touch the files of the one that follows', async () => {
    const disk = new FaultDisk()
    const node = await open(disk)
    await node.createGroup(7, initial)
    await snapshot(node, 7, 3)
    const reader = await storageOf(node, 7).openSnapshot()
    await snapshot(node, 7, 5)
    await node.retireGroup(7, { index: 5, term: 1 })
    await node.createGroup(7, initial)
    await snapshot(node, 7, 3)
    await reader?.close()
    await settle()
    const found = await storageOf(node, 7).openSnapshot()
    expect(found?.meta.index).toBe(3)
    await found?.close()
  })

  test('a group that is being retired can neither be made nor removed', async () => {
    const node = await open(new FaultDisk())
    await node.createGroup(7, initial)
    const retiring = node.retireGroup(7, { index: 0, term: 0 })
    expect(await refused(node.createGroup(7, initial))).toMatchObject({ code: 'conflict', outcome: 'none' })
    expect(await refused(node.removeGroup(7))).toMatchObject({ code: 'conflict', outcome: 'none' })
    await retiring
    await node.createGroup(7, initial)
  })

  test('appends of all groups in one turn are one durable write', async () => {
    const disk = new FaultDisk()
    const node = await open(disk, { segmentBytes: 65_536 })
    for (const id of [1, 2, 3]) await node.createGroup(id, initial)
    await settle()
    const before = disk.durableWrites.length
    await Promise.all([1, 2, 3].map((id) => storageOf(node, id).append({ entries: [entry(1)] })))
    expect(disk.durableWrites.length - before).toBe(1)
  })

  test('a segment is removed when no group needs it, and every group is known all the same', async () => {
    const disk = new FaultDisk()
    const node = await open(disk)
    for (const id of [1, 2, 3, 9]) await node.createGroup(id, { voters: [id] })
    await node.removeGroup(9)
    await append(node, 2, 1, 1, 10)
    await append(node, 1, 1, 30)
    await snapshot(node, 1, 30)
    await storageOf(node, 1).compact(30)
    const held = segmentsOf(disk)
    expect(held[0], 'group 2 needs its entry').toBe('node/wal-0000000001.log')
    await snapshot(node, 2, 1)
    await storageOf(node, 2).compact(1)
    expect(segmentsOf(disk)).toEqual(held.slice(-1))
    await node.close()
    const again = await open(new FaultDisk(disk.files()))
    expect([...again.groups.keys()]).toEqual([1, 2, 3])
    for (const [id, { restored }] of again.groups) {
      expect(restored.initialConfiguration).toEqual({ voters: [id] })
      expect(restored.hardState).toEqual(id === 3 ? { term: 0, vote: 0 } : { term: 1, vote: id })
    }
    expect(await refused(again.createGroup(9, initial))).toMatchObject({ code: 'conflict' })
  })

  test('a snapshot that a killed node had renamed, and not yet made durable, is made so before the log is cut for it', async () => {
    const disk = new FaultDisk()
    const killed = await open(disk)
    await killed.createGroup(1, { voters: [1] })
    await append(killed, 1, 1, 30)
    disk.fault = (operation, path) => {
      if (operation === 'syncDirectory' && path === 'node/groups/1') throw new Error('killed')
    }
    await refused(snapshot(killed, 1, 30))
    disk.fault = undefined
    const next = await open(disk)
    await storageOf(next, 1).compact(30)
    await settle()
    expect(segmentsOf(disk)).not.toContain('node/wal-0000000001.log')
    disk.crash = { atOperation: Infinity, tear: (written) => written, losesUnsynced: true }
    const afterPowerLoss = await open(new FaultDisk(disk.afterCrash()))
    expect(afterPowerLoss.groups.get(1)?.restored.snapshot?.index).toBe(30)
  })

  test('entries that were overwritten hold nothing back', async () => {
    const disk = new FaultDisk()
    const node = await open(disk)
    for (const id of [1, 2]) await node.createGroup(id, initial)
    await append(node, 1, 1, 20)
    await storageOf(node, 1).append({ entries: [entry(5, 20, 2)] })
    await append(node, 2, 1, 20)
    for (const [id, index] of [
      [1, 5],
      [2, 20],
    ] as const) {
      await snapshot(node, id, index)
      await storageOf(node, id).compact(index)
    }
    expect(segmentsOf(disk).length).toBe(1)
    await node.close()
    const again = await open(new FaultDisk(disk.files()))
    expect(again.groups.get(1)?.restored.snapshot?.index).toBe(5)
  })

  test('what a reset has dropped is not lost sight of over restarts and removals of segments', async () => {
    const disk = new FaultDisk()
    let node = await open(disk)
    for (const id of [1, 2]) await node.createGroup(id, initial)
    await append(node, 1, 1, 20, 100)
    const meta = { index: 10, term: 5, configuration: initial }
    await storageOf(node, 1).saveSnapshot(meta, [])
    await storageOf(node, 1).resetTo(meta, { term: 5, vote: 0 })
    let current = disk
    let next = 1
    for (let round = 0; round < 3; round++) {
      await append(node, 2, next, next + 19)
      next += 20
      await snapshot(node, 2, next - 1)
      await storageOf(node, 2).compact(next - 1)
      await storageOf(node, 1).compact(10)
      await node.close()
      current = new FaultDisk(current.files())
      node = await open(current)
      const group = node.groups.get(1)
      expect(group?.restored.snapshot?.index).toBe(10)
      expect(group?.restored.entries).toEqual([])
    }
  })

  test('a snapshot of a group that the log does not know is damage', async () => {
    const disk = new FaultDisk()
    const node = await open(disk)
    await node.createGroup(1, initial)
    await snapshot(node, 1, 3)
    await storageOf(node, 1).resetTo({ index: 3, term: 1, configuration: initial }, { term: 1, vote: 0 })
    await node.close()
    const files = disk.files()
    const path = [...files.keys()].find((name) => name.endsWith('.snap')) as string
    files.set(path.replace('groups/1/', 'groups/6/'), files.get(path) as Buffer)
    expect(await refused(open(new FaultDisk(files)))).toMatchObject({ code: 'corrupt' })
  })

  test('a reset that keeps the entries after the snapshot keeps their segments', async () => {
    const disk = new FaultDisk()
    const node = await open(disk)
    await node.createGroup(1, initial)
    await append(node, 1, 1, 20)
    const held = segmentsOf(disk)
    const meta = { index: 4, term: 1, configuration: initial }
    await storageOf(node, 1).saveSnapshot(meta, [])
    await storageOf(node, 1).resetTo(meta, { term: 1, vote: 1 })
    await storageOf(node, 1).compact(4)
    expect(held.length - segmentsOf(disk).length).toBeLessThanOrEqual(1)
    await node.close()
    const { groups } = await open(new FaultDisk(disk.files()))
    expect(groups.get(1)?.restored.entries.at(-1)?.index).toBe(20)
    expect(groups.get(1)?.restored.entries[0]?.index).toBeLessThanOrEqual(5)
  })
})

describe('a group that alone keeps old segments', () => {
  async function nodeWithIdleGroups(disk: FaultDisk, idle: readonly GroupId[]): Promise<NodeStorage> {
    const node = await open(disk)
    for (const id of [1, ...idle]) await node.createGroup(id, initial)
    for (const id of idle) await append(node, id, 1, 1, 10)
    return node
  }

  /** The busy group writes, and needs little of it. */
  async function write(node: NodeStorage, from: number, to: number): Promise<void> {
    for (let index = from; index <= to; index += 5) {
      await append(node, 1, index, Math.min(index + 4, to))
      await snapshot(node, 1, index)
      await storageOf(node, 1).compact(index)
    }
  }

  test('is told when there are more than four, and they go when it has taken a snapshot', async () => {
    const disk = new FaultDisk()
    const node = await nodeWithIdleGroups(disk, [2, 3])
    const told: GroupId[] = []
    storageOf(node, 1).onPinned(() => told.push(1))
    storageOf(node, 3).onPinned(() => told.push(3))
    storageOf(node, 2).onPinned(() => {
      told.push(2)
      void snapshot(node, 2, 1).then(() => storageOf(node, 2).compact(1))
    })
    await write(node, 1, 10)
    expect([segmentsOf(disk).length, told]).toEqual([4, []])
    await write(node, 11, 60)
    await settle()
    expect(told).not.toContain(1)
    expect(told.filter((id) => id === 2).length, 'it has done what it was asked').toBe(1)
    expect(told.filter((id) => id === 3).length, 'it is asked again').toBeGreaterThan(3)
    expect(segmentsOf(disk).length).toBeGreaterThan(8)
    await snapshot(node, 3, 1)
    await storageOf(node, 3).compact(1)
    expect(segmentsOf(disk).length).toBeLessThanOrEqual(3)
  })

  test('whose snapshot covers them is not asked: it had kept entries for slow followers only', async () => {
    const disk = new FaultDisk()
    const node = await nodeWithIdleGroups(disk, [2])
    let told = 0
    storageOf(node, 2).onPinned(() => told++)
    await snapshot(node, 2, 1)
    await write(node, 1, 60)
    await settle()
    expect(told).toBe(0)
    expect(segmentsOf(disk).length).toBeLessThanOrEqual(5)
  })

  test('is one of sixteen that are asked at once', async () => {
    const disk = new FaultDisk()
    const idle = Array.from({ length: 30 }, (_, i) => i + 2)
    const node = await nodeWithIdleGroups(disk, idle)
    const told: GroupId[] = []
    for (const id of idle) storageOf(node, id).onPinned(() => told.push(id))
    let written = 0
    while (told.length === 0) await write(node, ++written, written)
    expect(new Set(told).size).toBe(16)
    const first = [...told]
    const freed = first[0] as GroupId
    await snapshot(node, freed, 1)
    await storageOf(node, freed).compact(1)
    expect(told.length, 'the next one takes its turn').toBe(17)
    while (told.length === 17) await write(node, ++written, written)
    expect(told.slice(0, 17), 'those that were not asked yet come first').not.toContain(told[17])
  })
})

describe('space', () => {
  const full = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })

  test('is low under the bound, and reported when it changes; good again only with a quarter more', async () => {
    const disk = new FaultDisk()
    disk.free = 10_000
    const node = await open(disk, { spaceLowBytes: 8_000 })
    const changes: DiskSpace[] = []
    node.onSpace((space) => changes.push(space))
    expect(node.space).toEqual({ freeBytes: 10_000, isLow: false })
    for (const free of [7_999, 7_000, 9_999, 10_000, 50_000]) {
      disk.free = free
      await node.lookAtSpace()
    }
    expect(changes).toEqual([
      { freeBytes: 7_999, isLow: true },
      { freeBytes: 10_000, isLow: false },
    ])
  })

  test('is looked at as the log grows', async () => {
    const disk = new FaultDisk()
    disk.free = 1_000_000
    const node = await open(disk)
    await node.createGroup(1, initial)
    disk.free = 100
    await append(node, 1, 1, 10)
    await settle()
    expect(node.space).toEqual({ freeBytes: 100, isLow: true })
  })

  test('that is met full while the next segment is made ready is low, not an end: the present one takes what it can', async () => {
    const disk = new FaultDisk()
    const node = await open(disk, { segmentBytes: 65_536 })
    await node.createGroup(1, initial)
    const changes: boolean[] = []
    node.onSpace(({ isLow }) => changes.push(isLow))
    disk.fault = (_, path) => {
      if (path.endsWith('wal-spare.tmp')) throw full
    }
    let index = 0
    while (changes.length === 0) {
      index++
      await append(node, 1, index, index)
      await settle()
    }
    expect(changes).toEqual([true])
    expect(index * 500, 'half of the segment is left').toBeLessThan(50_000)
    await append(node, 1, index + 1, index + 20)
    disk.fault = undefined
    await append(node, 1, index + 21, index + 40)
    await settle()
    expect(changes).toEqual([true, false])
    await append(node, 1, index + 41, index + 100)
    await node.close()
    const again = await open(new FaultDisk(disk.files()), { segmentBytes: 65_536 })
    expect(again.groups.get(1)?.restored.entries.at(-1)?.index).toBe(index + 100)
  })

  test('that is met full while zeros are laid ahead is low; what was laid before takes what it can', async () => {
    const disk = new FaultDisk()
    const segmentBytes = 4 * 1024 * 1024
    const node = await open(disk, { segmentBytes })
    await node.createGroup(1, initial)
    await settle()
    const path = segmentsOf(disk)[0] as string
    const laid = disk.durableWrites.filter((write) => write.path === path)
    expect(laid.map(({ length }) => length)).toEqual([1024 * 1024])
    // Records go through the file as it was opened under its first name.
    disk.fault = (_, at) => {
      if (at === path) throw full
    }
    let index = 0
    while (!node.space.isLow) {
      index++
      await append(node, 1, index, index, 50_000)
      await settle()
    }
    await append(node, 1, index + 1, index + 5, 50_000)
    disk.fault = undefined
    await append(node, 1, index + 6, index + 10, 50_000)
    await settle()
    expect(node.space.isLow).toBe(false)
  })

  test('that ends where a record must go is the end of the node', async () => {
    const disk = new FaultDisk()
    const node = await open(disk)
    await node.createGroup(1, initial)
    disk.fault = () => {
      throw full
    }
    expect(await refused(append(node, 1, 1, 50))).toMatchObject({ code: 'disk-failed' })
    expect(await refused(node.createGroup(2, initial))).toMatchObject({ code: 'disk-failed' })
  })
})

test('a start reads no more of the last segment than was ever written to', async () => {
  const disk = new FaultDisk()
  const segmentBytes = 8 * 1024 * 1024
  const node = await open(disk, { segmentBytes })
  await node.createGroup(1, initial)
  await append(node, 1, 1, 10)
  await node.close()
  const again = new FaultDisk(disk.files())
  let bytesRead = 0
  const openFile = again.open.bind(again)
  again.open = async (path, options) => {
    const file = await openFile(path, options)
    const read = file.read.bind(file)
    file.read = async (offset, length) => {
      const bytes = await read(offset, length)
      bytesRead += bytes.length
      return bytes
    }
    return file
  }
  const { groups } = await open(again, { segmentBytes })
  expect(groups.get(1)?.restored.entries.length).toBe(10)
  expect(bytesRead).toBeLessThan(3 * 1024 * 1024)
})
