import { expect, test } from 'vitest'
import { AlthingError } from '../../contracts/errors.ts'
import type { Store } from '../../contracts/store.ts'
import { openLocalStore } from '../../engines/local/local-store.ts'
import { mistakes, withMembers } from './broken-stores.test-support.ts'
import { concurrentRun, type ConcurrentRunResult } from './concurrent-run.ts'
import { simulate } from './simulated-bed.test-support.ts'

function run(broken: (store: Store) => Partial<Store> = () => ({})): Promise<ConcurrentRunResult> {
  return simulate(async (world) => {
    const store = await openLocalStore({ world })
    const stores = [withMembers(store, broken(store)), withMembers(store, broken(store))]
    const result = await concurrentRun({ stores, world, seed: 1 })
    await store.close()
    return result
  })
}

test('the calls of a store that does as it should are linearizable', async () => {
  const { verdict, failed, unknown, keys, txns } = await run()
  expect({ verdict, failed, unknown }).toEqual({ verdict: 'ok', failed: 0, unknown: 0 })
  expect(keys.result.operations).toBeGreaterThan(400)
  expect(txns.result.operations).toBeGreaterThan(100)
})

test('a copy that is behind at times is found, and a short history shows it', async () => {
  const old = mistakes.find(({ name }) => name === 'answers from an old copy at times')
  const { verdict, keys } = await run((store) => old?.make(store, undefined as never) ?? {})
  expect(verdict).toBe('violation')
  expect(keys.shortest?.length).toBeLessThan(30)
})

test('what is lost on the way is unknown, and what was refused had no effect', async () => {
  let count = 0
  const { verdict, failed, unknown } = await run((store) => ({
    txn: async (request, options) => {
      count++
      if (count % 10 === 0) throw new AlthingError('unavailable', 'refused', { outcome: 'none' })
      const reply = await store.txn(request, options)
      if (count % 11 === 0) throw new AlthingError('timeout', 'lost', { outcome: 'unknown' })
      return reply
    },
  }))
  expect(verdict).toBe('ok')
  expect(failed).toBeGreaterThan(20)
  expect(unknown).toBeGreaterThan(20)
})

test('a store that says none of what was done is found', async () => {
  let count = 0
  const { verdict } = await run((store) => ({
    txn: async (request, options) => {
      const reply = await store.txn(request, options)
      if (++count % 11 === 0) throw new AlthingError('timeout', 'lost', { outcome: 'none' })
      return reply
    },
  }))
  expect(verdict).toBe('violation')
})
