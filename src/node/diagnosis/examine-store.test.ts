import { describe, expect, test } from 'vitest'
import { AlthingError } from '../../contracts/errors.ts'
import type { Store } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { overriding } from '../../coordination/test-bed.test-support.ts'
import { openLocalStore } from '../../engines/local/local-store.ts'
import { Simulation } from '../../testing/world/simulation.ts'
import { Althing } from '../althing.ts'
import { examineStore } from './examine-store.ts'

async function inWorld(body: (store: Store, world: World) => Promise<void>): Promise<void> {
  const simulation = new Simulation({ seed: 1 })
  let isDone = false
  simulation.process('app', async (world) => {
    await body(await openLocalStore({ world }), world)
    isDone = true
  })
  await simulation.runUntil(() => isDone, { limitMs: 60_000 })
}

const weak = (store: Store): Store =>
  overriding(store, { capabilities: { ...store.capabilities, linearizable: false, fencing: false } })

describe('the examination of any store', () => {
  test('tells bounds, speed and clock, and leaves nothing behind', async () => {
    await inWorld(async (store, world) => {
      const findings = await examineStore(store, world)
      const told = findings.map(({ severity, message }) => `${severity}: ${message}`)
      expect(told).toContain('warning: acknowledged writes are in memory only')
      const refused = told.filter((each) => each.includes('which the store does not guarantee'))
      expect(refused.map((each) => each.split(',')[0])).toEqual(["warning: ids needs 'durable'"])
      expect(told).toContain('ok: leases end by the clock of the engine')
      expect(told.filter((each) => /^ok: (reads|writes) are answered in /.test(each))).toHaveLength(2)
      expect((await store.range({ key: '\u0001', end: null })).count).toBe(0)
    })
  })

  test('names what recipes lack, and the programs whose code accepts it, while they run', async () => {
    await inWorld(async (store, world) => {
      const messages = async (): Promise<string> =>
        (await examineStore(weak(store), world))
          .filter(({ check }) => check === 'guarantees')
          .map(({ severity, message }) => `${severity}: ${message}`)
          .join('\n')
      const strict = new Althing(weak(store), world)
      expect(() => strict.locks).toThrow(/lock needs 'linearizable', 'fencing'/)
      const althing = new Althing(weak(store), world, { accept: ['linearizable', 'fencing'] })
      await (await althing.locks.acquire('orders')).release()
      const shown = await messages()
      expect(shown).toContain(
        `warning: election needs 'linearizable', 'fencing', which the store does not guarantee`,
      )
      expect(shown).toMatch(
        /warning: lock without 'linearizable', 'fencing' runs in 1 program: .*process \d+/,
      )
      expect(shown).not.toContain('discovery without')
      // Its store, which is also this test's, is left open by a name that is its own.
      const closing = new Althing(overriding(weak(store), { close: () => Promise.resolve() }), world, {
        accept: ['linearizable', 'fencing'],
      })
      expect(closing.discovery).toBeDefined()
      await new Promise<void>((resolve) => void world.timers.after(100, resolve))
      expect(await messages()).toContain('discovery without')
      await closing.close()
      expect(await messages()).not.toContain('discovery without')
    })
  })

  test('says of a store that does not serve that it does not', async () => {
    await inWorld(async (store, world) => {
      const away = overriding(store, {
        range: () => Promise.reject(new AlthingError('unavailable', 'nobody answers', { outcome: 'none' })),
      })
      const [worst] = (await examineStore(away, world)).filter(({ severity }) => severity === 'problem')
      expect(worst?.message).toBe('the store does not serve: nobody answers (unavailable)')
    })
  })

  test('warns of a store that answers slowly', async () => {
    await inWorld(async (store, world) => {
      const slow = overriding(store, {
        txn: async (...call) => {
          await new Promise<void>((resolve) => void world.timers.after(700, resolve))
          return await store.txn(...call)
        },
      })
      const findings = await examineStore(slow, world)
      expect(findings.find(({ message }) => message.startsWith('writes'))).toMatchObject({
        severity: 'warning',
      })
      expect(findings.find(({ message }) => message.startsWith('reads'))).toMatchObject({ severity: 'ok' })
    })
  })
})
