import fc from 'fast-check'
import { crc32 } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import type { Entry, HardState, SnapshotMeta } from '../../protocols/raft/types.ts'
import { type OpenedStorage, openDiskStorage } from '../storage.ts'
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
  state: State = { hardState: { term: 0, vote: 0 }, snapshot: undefined, entries: [] }
  readonly history: string[] = [shown(this.state)]
  /** Position in `history` up to which all is acknowledged. */
  acknowledged = 0

  get lastIndex(): number {
    return this.state.entries.at(-1)?.index ?? this.state.snapshot?.index ?? 0
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

async function perform(step: Step, storage: OpenedStorage['storage'], twin: Twin): Promise<void> {
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

const identity = { clusterId: 'test', nodeId: 1 }

function openOn(disk: FaultDisk, groupBytesMax: number): Promise<OpenedStorage> {
  return openDiskStorage(worldWithDisk(disk), 'node', { identity, segmentBytes: 8192, groupBytesMax })
}

/** Lets all work go on until nothing moves any more: ended, or dead. */
async function settle(disk: FaultDisk): Promise<void> {
  for (let before = -1; before !== disk.operations; ) {
    before = disk.operations
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
  }
}

describe('a crash at any point', () => {
  test('leaves all that was acknowledged, and of the rest at most a beginning', async () => {
    const life = fc.record({
      steps: fc.array(fc.record({ step, waits: fc.boolean() }), { minLength: 1, maxLength: 14 }),
      atOperation: fc.integer({ min: 3, max: 90 }),
      tear,
      losesUnsynced: fc.boolean(),
      groupBytesMax: fc.constantFrom(200, 3000, 100_000),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(life, { minLength: 1, maxLength: 3 }), async (lives) => {
        let disk = new FaultDisk()
        const twin = new Twin()
        for (const { steps, atOperation, tear, losesUnsynced, groupBytesMax } of lives) {
          disk.crash = { atOperation, tear, losesUnsynced }
          const run = async () => {
            const { storage } = await openOn(disk, groupBytesMax)
            for (const { step, waits } of steps) {
              // Between appends under way and a snapshot no order is promised.
              if (step.type !== 'append') await storage.append({ entries: [] })
              const done = perform(step, storage, twin)
              if (waits || step.type !== 'append') await done
            }
          }
          let failure: unknown
          run().catch((error: unknown) => {
            failure = error
          })
          await settle(disk)
          if (failure !== undefined) throw failure
          disk = new FaultDisk(disk.afterCrash())
          const { restored, storage } = await openOn(disk, groupBytesMax)
          const found = shown({ ...restored, snapshot: restored.snapshot })
          const position = twin.history.indexOf(found, twin.acknowledged)
          expect(twin.history.slice(twin.acknowledged), 'the state found').toContain(found)
          twin.history.length = position + 1
          twin.acknowledged = position
          twin.state = { ...restored, snapshot: restored.snapshot }
          await storage.close()
          disk = new FaultDisk(disk.files())
        }
      }),
      { numRuns: 800 },
    )
  })
})
