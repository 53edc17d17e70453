import { describe, expect, test } from 'vitest'
import type { Store, WatchBatch } from '../../../contracts/store.ts'
import { openLocalStore } from '../../../engines/local/local-store.ts'
import { mistakes, withMembers } from '../broken-stores.test-support.ts'
import { simulate } from '../simulated-bed.test-support.ts'
import { type DifferentialResult, differentialRun } from './differential-run.ts'
import { drawCommands } from './draw-commands.ts'
import { shrinkCommands } from './shrink-commands.ts'

function run(
  seed: number,
  broken: (store: Store) => Partial<Store> = () => ({}),
  options: { readonly past?: number; readonly shrinkRunsMax?: number } = {},
): Promise<DifferentialResult> {
  return simulate(async (world) => {
    const store = await openLocalStore({ world, keepRevisions: 0 })
    for (let n = 0; n < (options.past ?? 0); n++) {
      await store.txn({ then: [{ op: 'put', key: 'past', value: new Uint8Array() }] })
      await store.grantLease({ ttlMs: 1_000_000 })
    }
    const stores = [withMembers(store, broken(store))]
    const { shrinkRunsMax = 300 } = options
    const result = await differentialRun({ stores, world, seed, commands: 300, shrinkRunsMax })
    await store.close()
    return result
  })
}

const noMistake = (store: Store): Partial<Store> => ({ close: () => store.close() })

describe('the differential run', () => {
  test.each([1, 2, 3, 4, 5])(
    'finds no difference between the embedded engine and the model (seed %i)',
    async (seed) => {
      expect((await run(seed, noMistake)).difference?.text).toBeUndefined()
    },
  )

  test('takes an engine as it is, whatever revisions and leases it had before', async () => {
    expect((await run(6, noMistake, { past: 30 })).difference?.text).toBeUndefined()
  })

  test.each(
    mistakes.filter(({ name }) =>
      [
        'reads the newest state whatever revision is asked for',
        'never says that there is more',
        'counts what it shows',
        'carries a transaction out operation by operation',
        'does not remember what was compacted',
        'forgets the keys of a lease that is revoked',
        'drops one batch of events in five',
        'delivers the events of a revision one by one',
        'keeps a resync to itself',
        'resumes one revision late',
      ].includes(name),
    ),
  )('finds a store that $name', async ({ make }) => {
    const { difference } = await run(1, (store) => make(store, undefined as never), { shrinkRunsMax: 0 })
    expect(difference?.text).toContain('seed 1, 300 commands')
  })

  test('shortens the list to what shows the difference, and prints it with the seed', async () => {
    const { difference } = await run(1, (store) => ({
      range: (request, options) =>
        store.range(request.order === 'descending' ? { ...request, order: 'ascending' } : request, options),
    }))
    // Two keys, and a read in descending order.
    expect(difference?.shortest.length).toBeLessThanOrEqual(3)
    expect(difference?.shortest.at(-1)).toMatchObject({ type: 'range', order: 'descending' })
    expect(difference?.text).toMatch(/^seed 1, 300 commands: .*\n {2}0: \{.*\nmodel: {2}\{.*\nengine: \{/s)
  })

  test('leaves no lease behind where the engine kept one that the model has ended', async () => {
    const left = await simulate(async (world) => {
      const store = await openLocalStore({ world, keepRevisions: 0 })
      let isFirst = true
      const revokeLease: Store['revokeLease'] = async (lease, options) => {
        if (!isFirst) return await store.revokeLease(lease, options)
        isFirst = false
        return { revision: 4_711 }
      }
      const stores = [withMembers(store, { revokeLease })]
      const { difference } = await differentialRun({
        stores,
        world,
        seed: 1,
        commands: 300,
        shrinkRunsMax: 0,
      })
      expect(difference?.command?.type).toBe('revoke')
      const leases = await store.leases()
      await store.close()
      return leases
    })
    expect(left).toEqual([])
  })

  test('finds an event with a wrong previous value', async () => {
    const wrong = (batch: WatchBatch): WatchBatch =>
      batch.kind === 'events'
        ? { ...batch, events: batch.events.map((event) => ({ ...event, previous: undefined }) as never) }
        : batch
    const { difference } = await run(
      1,
      (store) => ({
        watch: (request) => {
          const watch = store.watch(request)
          return {
            close: () => watch.close(),
            async *[Symbol.asyncIterator]() {
              for await (const batch of watch) yield wrong(batch)
            },
          }
        },
      }),
      { shrinkRunsMax: 0 },
    )
    expect(difference?.actual).toContain('"guarantee":"previous"')
  })
})

describe('drawn commands', () => {
  test('are the same for the same seed, others for another, and of every type', () => {
    const draw = (seed: number) => drawCommands({ seed, commands: 1_000, lapses: 2 })
    expect(draw(1)).toEqual(draw(1))
    expect(draw(1)).not.toEqual(draw(2))
    expect([...new Set(draw(1).map(({ type }) => type))].toSorted()).toEqual([
      'closeWatch',
      'compact',
      'grant',
      'lapse',
      'leases',
      'range',
      'renew',
      'renewMany',
      'revoke',
      'txn',
      'watch',
    ])
  })
})

describe('shrinking', () => {
  test('leaves what it takes to fail, and calls no more often than allowed', async () => {
    const commands = Array.from({ length: 200 }, (_, i) => i)
    let attempts = 0
    const fails = async (shorter: readonly number[]): Promise<boolean> => {
      attempts++
      return shorter.includes(17) && shorter.includes(180)
    }
    expect(await shrinkCommands(commands, fails, 1_000)).toEqual([17, 180])
    attempts = 0
    const some = await shrinkCommands(commands, fails, 10)
    expect(attempts).toBe(10)
    expect(some.length).toBeLessThan(200)
    expect(await fails(some)).toBe(true)
  })
})
