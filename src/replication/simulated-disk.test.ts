import { describe, expect, test } from 'vitest'
import type { World } from '../contracts/world.ts'
import type { Entry } from '../protocols/raft/types.ts'
import { SeededRandom, Simulation } from '../testing/world/index.ts'
import { openLoneGroup } from './lone-group.testkit.ts'
import { openNodeStorage } from './node-storage.ts'

const options = { identity: { clusterId: 'sim', nodeId: 1 }, segmentBytes: 8192 }

function entry(index: number): Entry {
  return { index, term: index, kind: 'command', data: new Uint8Array(300).fill(index % 7) }
}

describe('on the simulated disk', () => {
  test.each(['torn', 'kept', 'lost'] as const)(
    'nothing acknowledged is lost when crashes leave writes %s',
    async (rule) => {
      for (let seed = 1; seed <= 15; seed++) {
        const simulation = new Simulation({ seed })
        const random = new SeededRandom(seed)
        let acknowledged = 0
        let failure: unknown
        const life = async (world: World): Promise<void> => {
          const { storage, restored } = await openLoneGroup(world, 'deep/node', options)
          const last = restored.entries.at(-1)?.index ?? 0
          expect(last).toBeGreaterThanOrEqual(acknowledged)
          expect(restored.entries.map(({ index, term }) => [index, term])).toEqual(
            Array.from({ length: last }, (_, i) => [i + 1, i + 1]),
          )
          for (let index = last + 1; ; index++) {
            await storage.append({ hardState: { term: index, vote: 1 }, entries: [entry(index)] })
            acknowledged = index
          }
        }
        const process = simulation.process('node', (world) => {
          life(world).catch((error: unknown) => {
            failure = error
          })
        })
        process.disk.conditions.crashRule = rule
        for (let round = 0; round < 4; round++) {
          await simulation.runUntil(simulation.nowMs + random.integer(1, 60))
          expect(failure).toBeUndefined()
          process.restart(random.integer(0, 1) === 0 ? 'power' : 'kill')
        }
        expect(acknowledged, `seed ${seed}`).toBeGreaterThan(0)
      }
    },
  )

  test.each(['torn', 'kept', 'lost'] as const)(
    'a copy that leaves and comes back finds nothing of the one before but its vote and where its log had ended, when crashes leave writes %s',
    async (rule) => {
      for (let seed = 1; seed <= 15; seed++) {
        const simulation = new Simulation({ seed })
        const random = new SeededRandom(seed)
        let failure: unknown
        let retired = 0
        // Each copy has a snapshot of a term of its own.
        const life = async (world: World): Promise<void> => {
          const node = await openNodeStorage(world, 'deep/node', options)
          for (;;) {
            const opened = node.groups.get(7) ?? (await node.createGroup(7, { voters: [1] }))
            const { hardState, snapshot, votingFloor } = opened.restored
            const kept = votingFloor?.term ?? 0
            expect(kept).toBeGreaterThanOrEqual(retired)
            const term = kept + 1
            expect([kept, term]).toContain(hardState.term)
            if (snapshot !== undefined) expect(snapshot.term).toBe(term)
            await opened.storage.append({ hardState: { term, vote: 1 }, entries: [] })
            const meta = { index: 5, term, configuration: { voters: [1] } }
            await opened.storage.saveSnapshot(meta, [new Uint8Array(300)])
            await opened.storage.resetTo(meta, { term, vote: 1 })
            await node.retireGroup(7, { index: 5, term })
            retired = term
          }
        }
        const process = simulation.process('node', (world) => {
          life(world).catch((error: unknown) => {
            failure = error
          })
        })
        process.disk.conditions.crashRule = rule
        for (let round = 0; round < 6; round++) {
          await simulation.runUntil(simulation.nowMs + random.integer(1, 60))
          expect(failure, `seed ${seed}`).toBeUndefined()
          process.restart(random.integer(0, 1) === 0 ? 'power' : 'kill')
        }
        expect(retired, `seed ${seed}`).toBeGreaterThan(1)
      }
    },
  )

  test('what a failed sync left in the cache alone is on the disk before anything is written after it', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const simulation = new Simulation({ seed })
      let acknowledged = 0
      let corrupt: unknown
      const process = simulation.process('node', async (world) => {
        const { storage, restored } = await openLoneGroup(world, 'node', options).catch((error: unknown) => {
          corrupt = error
          throw error
        })
        expect(restored.entries.length).toBeGreaterThanOrEqual(acknowledged)
        try {
          for (let index = restored.entries.length + 1; ; index++) {
            await storage.append({ hardState: { term: index, vote: 1 }, entries: [entry(index)] })
            acknowledged = index
          }
        } catch {
          // The sync failed: the node stops, and its supervisor starts it again.
        }
      })
      for (const kind of ['kill', 'power', 'kill', 'power'] as const) {
        await simulation.runUntil(simulation.nowMs + 10)
        if (kind === 'kill') process.disk.failNext('sync', 1, () => {})
        await simulation.runUntil(simulation.nowMs + 10)
        process.restart(kind)
        await simulation.runUntil(simulation.nowMs + 10)
        expect(corrupt, `seed ${seed}`).toBeUndefined()
      }
    }
  })
})
