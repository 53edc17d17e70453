import fc from 'fast-check'
import { crc32 } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import type { Entry, HardState, LogPosition, SnapshotMeta } from '../../protocols/raft/types.ts'
import { type GroupId, type NodeStorage, openNodeStorage } from '../node-storage.ts'
import type { RaftStorage } from '../storage.ts'
import { FaultDisk, tearAfter, tearSectors, worldWithDisk } from './fault-disk.testkit.ts'

/** What a restart must find, as one string. */
interface State {
  hardState: HardState
  snapshot: SnapshotMeta | undefined
  entries: readonly Entry[]
}

function shown({ hardState, snapshot, entries }: State): string {
  const after = snapshot?.index ?? 0
  const log = entries
    .filter(({ index }) => index > after)
    .map(({ index, term, kind, data }) => `${index}/${term}/${kind}/${data.length}/${crc32(data)}`)
  return `${hardState.term},${hardState.vote} ${snapshot?.index ?? 0}/${snapshot?.term ?? 0} ${log.join(' ')}`
}

/** The naive twin: keeps every state it has been in, so that the one after a crash can be looked up among them. */
class Twin {
  state: State
  readonly history: string[]
  /** Position in `history` up to which all is acknowledged. */
  acknowledged = 0

  constructor(hardState: HardState = { term: 0, vote: 0 }) {
    this.state = { hardState, snapshot: undefined, entries: [] }
    this.history = [shown(this.state)]
  }

  get lastIndex(): number {
    return this.last.index
  }

  get last(): LogPosition {
    const { index, term } = this.state.entries.at(-1) ?? this.state.snapshot ?? { index: 0, term: 0 }
    return { index, term }
  }

  change(change: Partial<State>): number {
    this.state = { ...this.state, ...change }
    this.history.push(shown(this.state))
    return this.history.length - 1
  }

  append(entry: Entry): number {
    return this.change({
      entries: [...this.state.entries.filter(({ index }) => index < entry.index), entry],
    })
  }

  install(snapshot: SnapshotMeta): number {
    const { entries } = this.state
    const last = entries.find(({ index }) => index === snapshot.index)
    const follows = entries[0]?.index === snapshot.index + 1
    return this.change({ snapshot, entries: last?.term === snapshot.term || follows ? entries : [] })
  }
}

type Step =
  | {
      type: 'append'
      back: number
      sizes: number[]
      fill: number
      newTerm: boolean
      vote: number
    }
  | { type: 'snapshot'; part: number }
  | { type: 'receive'; ahead: number; matching: boolean }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('append' as const),
      back: fc.constantFrom(0, 0, 0, 1, 3),
      sizes: fc.array(fc.constantFrom(0, 1, 13, 480, 512, 700, 1600), { maxLength: 4 }),
      fill: fc.constantFrom(0, 0, 255, 7),
      newTerm: fc.boolean(),
      vote: fc.integer({ min: 0, max: 3 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('snapshot' as const),
      part: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('receive' as const),
      ahead: fc.integer({ min: -2, max: 3 }),
      matching: fc.boolean(),
    }),
  },
)

const tear = fc.oneof(
  fc.integer({ min: 0, max: 6000 }).map((count) => tearAfter(count)),
  fc.integer({ min: 0, max: 2 ** 31 - 1 }).map((pattern) => tearSectors(pattern)),
)

async function perform(step: Step, storage: RaftStorage, twin: Twin): Promise<void> {
  const { hardState } = twin.state
  switch (step.type) {
    case 'append': {
      const term = hardState.term + (step.newTerm ? 1 : 0)
      const floor = twin.state.snapshot?.index ?? 0
      const first = Math.max(floor + 1, twin.lastIndex + 1 - step.back)
      const entries = step.sizes.map(
        (size, i): Entry => ({
          index: first + i,
          term,
          kind: 'command',
          data: new Uint8Array(size).fill(step.fill),
        }),
      )
      const next = { term, vote: step.vote }
      twin.change({ hardState: next })
      let position = twin.history.length - 1
      for (const entry of entries) position = twin.append(entry)
      await storage.append({ hardState: next, entries })
      twin.acknowledged = Math.max(twin.acknowledged, position)
      return
    }
    case 'snapshot': {
      const { entries } = twin.state
      const entry = entries[Math.floor(step.part * (entries.length - 1))]
      if (entry === undefined || entry.index <= (twin.state.snapshot?.index ?? 0)) return
      const snapshot = { index: entry.index, term: entry.term, configuration: { voters: [1, 2, 3] } }
      const position = twin.install(snapshot)
      await storage.saveSnapshot(snapshot, [new Uint8Array(300)])
      twin.acknowledged = position
      await storage.compact(snapshot.index)
      return
    }
    case 'receive': {
      const index = twin.lastIndex + step.ahead
      if (index <= (twin.state.snapshot?.index ?? 0)) return
      const known = twin.state.entries.find((entry) => entry.index === index)?.term
      const term = step.matching && known !== undefined ? known : hardState.term + 1
      const snapshot = { index, term, configuration: { voters: [1, 2, 3] } }
      const next = { term: Math.max(term, hardState.term), vote: 0 }
      const installed = twin.install(snapshot)
      const position = twin.change({ hardState: next })
      await storage.saveSnapshot(snapshot, [new Uint8Array(300)])
      twin.acknowledged = installed
      await storage.resetTo(snapshot, next)
      twin.acknowledged = position
    }
  }
}

type Change = { type: 'create' } | { type: 'remove' } | { type: 'retire' } | { type: 'return' }

type Status = 'coming' | 'alive' | 'leaving' | 'gone' | 'retiring' | 'retired' | 'returning'

interface GroupTwin {
  twin: Twin
  status: Status
  /** Where the logs of earlier copies have ended. */
  floor?: LogPosition
}

/** What a restart must find of all groups. One that was being made, retired or removed when the node died may be there or not. */
class NodeTwin {
  readonly groups = new Map<GroupId, GroupTwin>()
  #nextId = 1

  /** One of those that are alive. */
  pick(number: number): [GroupId, Twin] | undefined {
    const alive = [...this.groups].filter(([, { status }]) => status === 'alive')
    const found = alive[number % Math.max(alive.length, 1)]
    return found === undefined ? undefined : [found[0], found[1].twin]
  }

  async create(node: NodeStorage): Promise<void> {
    const id = this.#nextId++
    const group: GroupTwin = { twin: new Twin(), status: 'coming' }
    this.groups.set(id, group)
    await node.createGroup(id, initialOf(id))
    group.status = 'alive'
  }

  async remove(node: NodeStorage, id: GroupId): Promise<void> {
    const group = this.groups.get(id) as GroupTwin
    group.status = 'leaving'
    await node.removeGroup(id)
    group.status = 'gone'
  }

  async retire(node: NodeStorage, id: GroupId): Promise<void> {
    const group = this.groups.get(id) as GroupTwin
    group.status = 'retiring'
    await node.retireGroup(id, group.twin.last)
    group.status = 'retired'
    group.floor = later(group.twin.last, group.floor)
  }

  /** A new copy of one that was retired. */
  async return(node: NodeStorage): Promise<void> {
    const found = [...this.groups].find(([, { status }]) => status === 'retired')
    if (found === undefined) return
    const [id, group] = found
    group.status = 'returning'
    group.twin = new Twin(group.twin.state.hardState)
    await node.createGroup(id, initialOf(id))
    group.status = 'alive'
  }

  /** Compares with what a restart has found, and goes on from there. */
  async check(node: NodeStorage, disk: FaultDisk): Promise<void> {
    for (const [id, group] of this.groups) {
      const found = node.groups.get(id)
      if (found === undefined) {
        expect(group.status, `group ${id} is missing`).not.toBe('alive')
        const left = [...disk.names.keys()].filter((path) => path.startsWith(`node/groups/${id}/`))
        expect(left, `files of group ${id}, which is not there`).toEqual([])
        await this.#checkMissing(node, id, group)
        continue
      }
      expect(group.status, `group ${id} is there again`).not.toMatch(/gone|retired/)
      group.status = 'alive'
      const { restored } = found
      const { twin, floor } = group
      expect(restored.votingFloor, `what an earlier copy of group ${id} left`).toEqual(floor)
      expect(restored.initialConfiguration).toEqual(floor === undefined ? initialOf(id) : { voters: [] })
      const state = { ...restored, snapshot: restored.snapshot }
      expect(twin.history.slice(twin.acknowledged), `the state found of group ${id}`).toContain(shown(state))
      const position = twin.history.indexOf(shown(state), twin.acknowledged)
      twin.history.length = position + 1
      twin.acknowledged = position
      twin.state = state
    }
    expect([...node.groups.keys()].filter((id) => !this.groups.has(id))).toEqual([])
  }

  async #checkMissing(node: NodeStorage, id: GroupId, group: GroupTwin): Promise<void> {
    const { status, twin, floor } = group
    if (['retiring', 'retired', 'returning'].includes(status)) {
      group.status = 'retired'
      group.floor = status === 'retiring' ? later(twin.last, floor) : floor
      expect(node.retired.has(id)).toBe(true)
      const { restored } = await node.createGroup(id, initialOf(id))
      expect(restored, `what is kept of group ${id}`).toEqual({
        hardState: twin.state.hardState,
        entries: [],
        initialConfiguration: { voters: [] },
        votingFloor: group.floor,
      })
      await node.retireGroup(id, { index: 0, term: 0 })
      return
    }
    expect(node.retired.has(id)).toBe(false)
    if (status === 'coming') {
      this.groups.delete(id)
      return
    }
    await expect(node.createGroup(id, initialOf(id))).rejects.toMatchObject({ code: 'conflict' })
    group.status = 'gone'
  }
}

function later(a: LogPosition, b: LogPosition = { index: 0, term: 0 }): LogPosition {
  return [a, b].sort((x, y) => y.term - x.term || y.index - x.index)[0] as LogPosition
}

function initialOf(id: GroupId): { voters: number[]; learners: number[] } {
  return { voters: [1, 2], learners: [id + 2] }
}

const identity = { clusterId: 'test', nodeId: 1 }

function openOn(disk: FaultDisk, groupBytesMax: number): Promise<NodeStorage> {
  return openNodeStorage(worldWithDisk(disk), 'node', { identity, segmentBytes: 8192, groupBytesMax })
}

/** Lets all work go on until nothing moves any more: ended, or dead. */
async function settle(disk: FaultDisk): Promise<void> {
  for (let before = -1; before !== disk.operations; ) {
    before = disk.operations
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
  }
}

interface Life {
  readonly steps: readonly { step: Step | Change; group: number; waits: boolean }[]
  readonly groupBytesMax: number
}

async function live({ steps, groupBytesMax }: Life, disk: FaultDisk, twin: NodeTwin): Promise<void> {
  const node = await openOn(disk, groupBytesMax)
  for (const { step, group, waits } of steps) {
    const picked = twin.pick(group)
    if (step.type === 'return') {
      await twin.return(node)
      continue
    }
    if (step.type === 'create' || picked === undefined) {
      await twin.create(node)
      continue
    }
    const [id, groupTwin] = picked
    if (step.type === 'remove' || step.type === 'retire') {
      await twin[step.type](node, id)
      continue
    }
    const { storage } = node.groups.get(id) as { storage: RaftStorage }
    // Between appends under way and a snapshot no order is promised.
    if (step.type !== 'append') await storage.append({ entries: [] })
    const done = perform(step, storage, groupTwin)
    if (waits || step.type !== 'append') await done
  }
}

function lifeOf(changeWeight: number): fc.Arbitrary<Life & { crash: FaultDisk['crash'] }> {
  const change = fc.constantFrom<Change>(
    { type: 'create' },
    { type: 'create' },
    { type: 'remove' },
    { type: 'retire' },
    { type: 'retire' },
    { type: 'return' },
    { type: 'return' },
  )
  const any = fc.oneof({ weight: 8, arbitrary: step }, { weight: changeWeight, arbitrary: change })
  const steps = fc.record({ step: any, group: fc.nat(5), waits: fc.boolean() })
  return fc.record({
    steps: fc.array(steps, { minLength: 1, maxLength: 14 }),
    crash: fc.record({ atOperation: fc.integer({ min: 3, max: 110 }), tear, losesUnsynced: fc.boolean() }),
    groupBytesMax: fc.constantFrom(200, 3000, 100_000),
  })
}

describe('a crash at any point', () => {
  test.each([
    ['one group', 0],
    ['groups that come and go', 3],
  ])('leaves all that was acknowledged, and of the rest at most a beginning: %s', async (_, changeWeight) => {
    await fc.assert(
      fc.asyncProperty(fc.array(lifeOf(changeWeight), { minLength: 1, maxLength: 3 }), async (lives) => {
        let disk = new FaultDisk()
        const twin = new NodeTwin()
        for (const life of lives) {
          disk.crash = life.crash
          let failure: unknown
          live(life, disk, twin).catch((error: unknown) => {
            failure = error
          })
          await settle(disk)
          if (failure !== undefined) throw failure
          disk = new FaultDisk(disk.afterCrash())
          const node = await openOn(disk, life.groupBytesMax)
          await twin.check(node, disk)
          await node.close()
          disk = new FaultDisk(disk.files())
        }
      }),
      { numRuns: 700 },
    )
  })
})

test('a group that was removed may lack the beginning of its log: the segment that held it has gone with it', async () => {
  const disk = new FaultDisk()
  const node = await openOn(disk, 100_000)
  const { storage } = await node.createGroup(1, initialOf(1))
  const other = await node.createGroup(2, initialOf(2))
  const hardState = { term: 1, vote: 1 }
  const entry = (index: number, size: number): Entry => ({
    index,
    term: 1,
    kind: 'command',
    data: new Uint8Array(size),
  })
  await storage.append({ hardState, entries: [1, 2, 3, 4, 5].map((index) => entry(index, 1_000)) })
  // In the next segment: what says that the log begins after 4, of which entry 5 is left, and entry 6.
  await other.storage.append({ hardState, entries: [entry(1, 6_000)] })
  const snapshot = { index: 4, term: 1, configuration: { voters: [1, 2] } }
  await storage.saveSnapshot(snapshot, [new Uint8Array(300)])
  await storage.resetTo(snapshot, hardState)
  await storage.append({ entries: [entry(6, 10)] })
  await node.removeGroup(1)
  expect([...disk.names.keys()]).not.toContain('node/wal-0000000001.log')
  await node.close()
  const again = await openOn(new FaultDisk(disk.files()), 100_000)
  expect([...again.groups.keys()]).toEqual([2])
  await again.close()
})
