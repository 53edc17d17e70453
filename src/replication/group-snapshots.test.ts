import { describe, expect, test } from 'vitest'
import { AlthingError } from '../contracts/errors.ts'
import { Simulation } from '../testing/world/simulation.ts'
import { GroupSnapshots } from './group-snapshots.ts'
import { MemoryStorage } from './memory-storage.ts'

interface Bench {
  readonly snapshots: GroupSnapshots
  /** Applies the next entry. */
  apply(): void
  /** Indices of the snapshots saved, and when. */
  readonly saved: { readonly index: number; readonly atMs: number }[]
  readonly failures: unknown[]
  fill(isFull: boolean): void
  readonly nowMs: () => number
  readonly sleep: (ms: number) => Promise<void>
}

/** A group whose snapshots are due after 3 entries, or a second. */
async function withSnapshots(body: (bench: Bench) => Promise<void>): Promise<void> {
  const simulation = new Simulation({ seed: 1 })
  let isDone = false
  simulation.process('node', async ({ clock, timers, logger }) => {
    const storage = new MemoryStorage()
    const startMs = clock.monotonicMs()
    const nowMs = (): number => clock.monotonicMs() - startMs
    const saved: Bench['saved'] = []
    const failures: unknown[] = []
    let applied = 0
    let isFull = false
    const saveSnapshot: MemoryStorage['saveSnapshot'] = async (meta, chunks) => {
      if (isFull) throw new AlthingError('no-space', 'the disk is full')
      await storage.saveSnapshot(meta, chunks)
    }
    const snapshots = new GroupSnapshots({
      storage: Object.assign(Object.create(storage), { saveSnapshot }) as MemoryStorage,
      model: { apply: () => undefined, snapshot: () => [], restore: () => undefined },
      logger,
      timers,
      newest: undefined,
      entriesMax: 3,
      bytesMax: 1_000,
      ageMsMax: 1_000,
      keepEntries: 0,
      describe: () => ({ index: applied, term: 1, configuration: { voters: [1] } }),
      saved: ({ index }) => saved.push({ index, atMs: nowMs() }),
      fail: (cause) => failures.push(cause),
    })
    const apply = (): void => {
      applied += 1
      snapshots.applied(10)
      snapshots.takeWhenDue(applied)
    }
    const sleep = (ms: number): Promise<void> => new Promise((resolve) => timers.after(ms, resolve))
    await body({ snapshots, apply, saved, failures, fill: (value) => (isFull = value), nowMs, sleep })
    isDone = true
  })
  await simulation.runUntil(() => isDone, { limitMs: 60_000 })
}

describe('a snapshot', () => {
  test('is taken once the first entry that the last one has not is old, and then not again for nothing', async () => {
    await withSnapshots(async ({ apply, saved, sleep }) => {
      apply()
      await sleep(600)
      apply()
      await sleep(300)
      expect(saved).toEqual([])
      await sleep(200)
      expect(saved).toMatchObject([{ index: 2 }])
      await sleep(5_000)
      expect(saved.length).toBe(1)
      apply()
      await sleep(1_100)
      expect(saved.map(({ index }) => index)).toEqual([2, 3])
    })
  })

  test('taken as the log grew begins the time anew', async () => {
    await withSnapshots(async ({ apply, saved, sleep, nowMs }) => {
      apply()
      await sleep(900)
      apply()
      apply()
      await sleep(50)
      expect(saved).toMatchObject([{ index: 3 }])
      apply()
      const agedMs = nowMs() + 1_000
      await sleep(1_100)
      expect(saved.map(({ index }) => index)).toEqual([3, 4])
      expect(saved[1]?.atMs).toBeGreaterThanOrEqual(agedMs)
    })
  })

  test('that finds no room is tried again when as much time has passed, though nothing more is applied', async () => {
    await withSnapshots(async ({ apply, saved, failures, fill, sleep }) => {
      fill(true)
      apply()
      await sleep(1_100)
      expect(saved).toEqual([])
      fill(false)
      await sleep(1_000)
      expect(saved).toMatchObject([{ index: 1 }])
      expect(failures).toEqual([])
    })
  })

  test('is not begun by a group that has been closed', async () => {
    await withSnapshots(async ({ snapshots, apply, saved, sleep }) => {
      apply()
      snapshots.close()
      apply()
      await sleep(5_000)
      expect(saved).toEqual([])
    })
  })
})
