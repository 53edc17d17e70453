import { describe, expect, test } from 'vitest'
import {
  type SeedReport,
  simulateStore,
  type StoreSimulationOptions,
  Sweep,
} from '../../src/testing/store-simulation/index.ts'
import { type FaultClass, faultClasses } from '../../src/testing/world/fault-classes.ts'
import { NodeClock } from '../../src/world/clock.ts'

const clock = new NodeClock()

async function sweep(
  first: number,
  last: number,
  faults: readonly FaultClass[],
  more: Omit<StoreSimulationOptions, 'seed' | 'faults'> = {},
  all = new Sweep(),
): Promise<Sweep> {
  for (let seed = first; seed <= last; seed++)
    all.add(await simulateStore({ seed, faults, ...more }, { clock }))
  return all
}

/** Members, groups, backups and users at once, and much of each. */
const busy = {
  membersMsMean: 400,
  groupsMsMean: 600,
  backupMsMean: 1_500,
  leaseDriftMax: 0.04,
  keyClients: 2,
  snapshotEntries: 20,
  keepEntries: 0,
  compactRate: 0.05,
  keepRevisions: 40,
  replicaCheckMs: 3_000,
} as const

/** Few members, and many moves: copies of groups leave members and come back. */
const moving = { membersMsMean: 300, groupsMsMean: 600, snapshotEntries: 20, keepEntries: 0 } as const

function problems({ failed, unknown }: ReturnType<Sweep['summary']>): string[] {
  return [
    ...failed.map(({ seed, violation }) => `seed ${seed}: ${violation?.message}\n${violation?.explanation}`),
    ...unknown.map((seed) => `seed ${seed}: a history could not be judged within its bounds`),
  ]
}

describe('the store in the simulator', () => {
  test('keeps what it promises under all faults, and serves again when they heal', async () => {
    const all = await sweep(1, 24, faultClasses)
    await sweep(1, 6, ['crash', 'bit-flip', 'slow-disk', 'delay'], { seconds: 20, shape: busy }, all)
    await sweep(1, 2, ['disk-full', 'disk-stall', 'break'], { seconds: 15, shape: busy }, all)
    await sweep(1, 3, ['delay'], { seconds: 30, shape: { membersMsMean: 1_000, groupsMsMean: 0 } }, all)
    await sweep(1, 4, ['crash', 'delay', 'restart'], { nodes: 3, seconds: 30, shape: moving }, all)
    await sweep(1, 1, ['delay', 'restart'], { shape: { hasAccess: true, hasQuota: true } }, all)
    const summary = all.summary()
    expect(problems(summary)).toEqual([])
    // What did not happen has shown nothing.
    for (const name of faultClasses) expect(summary.faults[name] ?? 0, name).toBeGreaterThan(0)
    for (const [name, count] of Object.entries(summary.reached)) expect(count, name).toBeGreaterThan(0)
  })

  test.each([3, 5] as const)('needs no fault to be checked: %i nodes at rest', async (nodes) => {
    const summary = (await sweep(1, 6, [], { nodes })).summary()
    expect(problems(summary)).toEqual([])
    expect(Object.values(summary.faults).filter((count) => count > 0)).toEqual([])
    expect(summary.calls).toBeGreaterThan(100)
  })

  test('takes the same course twice from the same seed, and another from another', async () => {
    const run = (seed: number): Promise<SeedReport> =>
      simulateStore({ seed, faults: faultClasses }, { clock })
    const hashes = new Set<string>()
    for (const seed of [3, 14, 15, 92]) {
      const first = await run(seed)
      const second = await run(seed)
      expect(second).toEqual(first)
      hashes.add(first.logHash)
    }
    expect(hashes.size).toBe(4)
  })
})

describe('what the simulator has found once', () => {
  test('records that only the cache had after a failed sync do not leave a hole in the log', async () => {
    const faults = ['sync-error', 'lost-write', 'torn-write', 'crash'] as const
    expect(problems((await sweep(1, 15, faults)).summary())).toEqual([])
  })

  test('the first command of a client is applied once when its answer is lost', async () => {
    expect(
      problems((await sweep(1, 15, ['duplicate', 'one-way', 'partition', 'block-loop'])).summary()),
    ).toEqual([])
  })
})
