import { describe, expect, test } from 'vitest'
import { concurrentRun } from '../../testing/conformance/concurrent-run.ts'
import { differentialRun } from '../../testing/conformance/differential/differential-run.ts'
import { manyFaults, put, simulateSeed } from './shared-log-store.test-support.ts'
import type { SharedLogStore } from './shared-log-store.ts'

const seeds = Array.from({ length: 8 }, (_, index) => index + 1)

describe('a store on a log that loses, doubles and delays messages', () => {
  test.each(seeds)(
    'is linearizable, and all copies are the same in the end (seed %i)',
    async (seed) => {
      const { verdict, hashes, snapshots } = await simulateSeed(seed, async (lab) => {
        const stores = await lab.several(3, { snapshotMessages: 60 })
        lab.server.faults = manyFaults
        const run = await concurrentRun({
          stores,
          world: lab.world,
          seed,
          clients: 6,
          callsPerClient: 30,
          timeoutMs: 2_000,
          during: async () => {
            await lab.pass(2_000)
            lab.server.stop(700)
            await lab.pass(3_000)
          },
        })
        const late = await lab.open()
        const hashes = await lab.settledHashes([...stores, late])
        return { verdict: run.verdict, hashes, snapshots: lab.server.snapshots.length }
      })
      expect(verdict).toBe('ok')
      expect(new Set(hashes).size).toBe(1)
      expect(snapshots).toBeGreaterThan(0)
    },
    120_000,
  )

  test.each(seeds)(
    'answers as the model does: no command is applied twice, none is lost (seed %i)',
    async (seed) => {
      const difference = await simulateSeed(seed, async (lab) => {
        const stores = await lab.several(3, { timeoutMs: 600_000, snapshotMessages: 40 })
        lab.server.faults = { ...manyFaults, lostConnection: 0.01 }
        const result = await differentialRun({
          stores: stores.map(patient),
          world: lab.world,
          seed,
          commands: 300,
          lapses: 0,
          shrinkRunsMax: 0,
        })
        return result.difference?.text
      })
      expect(difference).toBeUndefined()
    },
    120_000,
  )

  test('the same seed gives the same run', async () => {
    const run = (): Promise<string> =>
      simulateSeed(7, async (lab) => {
        const stores = await lab.several(2)
        lab.server.faults = manyFaults
        for (let i = 0; i < 40; i++)
          await put(stores[i % 2] as SharedLogStore, `k${i % 5}`, String(i), 60_000)
        return (await lab.settledHashes(stores)).join()
      })
    expect(await run()).toBe(await run())
  })

  test('calls end in time, and what is said of them is true', async () => {
    for (const seed of seeds) {
      const { wrong, late, unknown } = await simulateSeed(seed, async (lab) => {
        const [store, witness] = (await lab.several(2)) as [SharedLogStore, SharedLogStore]
        // Most of all: what is in the log, though neither the acknowledgement nor the message comes in time.
        lab.server.faults = {
          ...manyFaults,
          lostAppend: 0.2,
          lostAcknowledgement: 0.5,
          brokenReader: 0.5,
          lostConnection: 0.02,
          delayMsMax: 100,
        }
        const told = new Map<string, string>()
        let late = 0
        for (let i = 0; i < 60; i++) {
          const startedMs = lab.world.clock.monotonicMs()
          const outcome = await put(store, `k${i}`, 'v', 400).then(
            () => 'done',
            (error: { outcome: string }) => error.outcome,
          )
          told.set(`k${i}`, outcome)
          if (lab.world.clock.monotonicMs() - startedMs > 450) late++
        }
        await lab.settledHashes([store, witness])
        await lab.pass(2_000)
        const there = new Set((await witness.range({ key: 'k', end: 'l' })).kvs.map(({ key }) => key))
        const wrong = [...told].filter(
          ([key, outcome]) =>
            (outcome === 'done' && !there.has(key)) || (outcome === 'none' && there.has(key)),
        )
        return { wrong, late, unknown: [...told.values()].filter((outcome) => outcome === 'unknown').length }
      })
      expect(wrong).toEqual([])
      expect(late).toBe(0)
      expect(unknown).toBeLessThan(60)
    }
  }, 120_000)
})

/** The runs give calls five seconds; here they may take as long as they need. */
function patient(store: SharedLogStore): SharedLogStore {
  return new Proxy(store, {
    get(target, name) {
      const member = Reflect.get(target, name, target) as unknown
      if (typeof member !== 'function') return member
      return (...args: unknown[]) =>
        (member as (...args: unknown[]) => unknown).apply(
          target,
          args.map((arg) => withoutTime(arg)),
        )
    },
  })
}

function withoutTime(arg: unknown): unknown {
  if (typeof arg !== 'object' || arg === null || !('timeoutMs' in arg)) return arg
  const { timeoutMs: _, ...rest } = arg
  return rest
}
