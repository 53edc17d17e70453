import { describe, expect, test } from 'vitest'
import type { Store } from '../../contracts/store.ts'
import type { Disk, World } from '../../contracts/world.ts'
import { NodeAesGcm } from '../../world/aes-gcm.ts'
import { eventually, simulate, sleep, TestBed } from '../test-bed.test-support.ts'
import { ConfigService } from './config.ts'
import type { ConfigReader, ConfigState } from './config-types.ts'

const by = { author: 'ada' }
const localCopy = 'copies/api.json'
const secrets = { cipher: new NodeAesGcm(), keys: [{ id: 'k1', bytes: new Uint8Array(32).fill(7) }] }

interface Scene {
  readonly bed: TestBed
  readonly config: ConfigService
  readonly store: Store
  readonly world: World
  /** Of the service, as it runs now. */
  readonly reader: () => ConfigReader
  readonly disk: () => Disk
}

/** A service `svc` that opens its configuration whenever it starts, beside a writer. */
async function withService(body: (scene: Scene) => Promise<void>): Promise<void> {
  let running: { readonly reader: ConfigReader; readonly disk: Disk } | undefined
  const now = () => running as NonNullable<typeof running>
  await simulate(async ({ store, world }, bed) => {
    bed.spawn('svc', async (app) => {
      const reader = new ConfigService({ ...app, secrets }).open('api', {
        instance: 'i',
        localCopy,
        pullEvery: '5s',
      })
      running = { reader, disk: app.world.disk }
      await sleep(app.world, 3_600_000)
    })
    const config = new ConfigService({ store, world, secrets })
    await sleep(world, 10)
    await body({ bed, config, store, world, reader: () => now().reader, disk: () => now().disk })
  })
}

describe('local copy', () => {
  test('carries a restart while the store is away, marked stale with its age, secrets sealed in it', async () => {
    await withService(async ({ bed, config, world, reader, disk }) => {
      await config.set('*', { region: 'north' }, by)
      await config.set('api', { a: 1, password: 'sesame' }, { ...by, secret: ['password'] })
      await eventually(world, () => expect(reader().version).toBe(1))
      await sleep(world, 1_000)
      const file = Buffer.from(await disk().read(localCopy)).toString()
      expect(file).not.toMatch(/sesame/)
      bed.process('node').crash('kill')
      bed.process('svc').restart('kill')
      await sleep(world, 30_000)
      expect(reader().current).toMatchObject({
        values: { a: 1, password: 'sesame', region: 'north' },
        version: 1,
        globalVersion: 1,
        source: 'local-copy',
        stale: true,
      })
      expect(reader().ageMs).toBeGreaterThan(29_000)
      bed.process('node').restart('kill')
      await eventually(world, () =>
        expect(reader().current).toMatchObject({ source: 'store', stale: false, version: 1 }),
      )
    })
  })

  test('damaged, it is refused and named, and the store is waited for', async () => {
    await withService(async ({ bed, config, world, reader, disk }) => {
      await config.set('api', { a: 1 }, by)
      await eventually(world, () => expect(reader().version).toBe(1))
      await sleep(world, 1_000)
      const svc = bed.process('svc')
      const file = await disk().open(localCopy)
      const size = await file.size()
      await file.write(size - 3, [new Uint8Array([0x58])])
      await file.close()
      bed.process('node').crash('kill')
      svc.restart('kill')
      await sleep(world, 5_000)
      expect(reader().current).toBeUndefined()
      expect(reader().problem).toMatchObject({
        kind: 'local-copy',
        message: expect.stringContaining(localCopy) as string,
      })
      bed.process('node').restart('kill')
      await eventually(world, () => expect(reader().current).toMatchObject({ version: 1, source: 'store' }))
      expect(reader().problem).toBeUndefined()
    })
  })

  test('a store that went back does not take a reader back: it says so, and stays', async () => {
    await withService(async ({ config, store, world, reader }) => {
      const key = '/althing/config/current/api'
      await config.set('api', { a: 1 }, by)
      const [old] = (await store.range({ key })).kvs
      await config.set('api', { a: 2 }, by)
      await eventually(world, () => expect(reader().version).toBe(2))
      await store.txn({ then: [{ op: 'put', key, value: old?.value ?? new Uint8Array() }] })
      await eventually(world, () => expect(reader().problem).toMatchObject({ kind: 'behind', version: 1 }))
      expect(reader().current).toMatchObject({ version: 2, values: { a: 2 } })
      await config.remove('api')
      await config.set('api', { a: 3 }, by)
      await eventually(world, () => expect(reader().current).toMatchObject({ version: 1, values: { a: 3 } }))
      expect(reader().problem).toBeUndefined()
    })
  })

  test('whatever the moment of a power cut, the copy afterwards is a whole version that the store had', async () => {
    for (let seed = 1; seed <= 30; seed++) {
      const bed = new TestBed(seed)
      const states: ConfigState[] = []
      let newest = 0
      bed.spawn('svc', async (app) => {
        const reader = new ConfigService(app).open('api', { instance: 'i', localCopy })
        reader.subscribe((state) => {
          if (state.source === 'local-copy') states.push(state)
          else newest = Math.max(newest, state.version)
        })
        await sleep(app.world, 3_600_000)
      })
      bed.spawn('writer', async (app) => {
        const config = new ConfigService(app)
        for (let n = 1; n <= 60; n++) {
          await config.set('api', { n, same: n }, by)
          await sleep(app.world, app.world.random.integer(0, 6))
        }
      })
      const cutMs = bed.simulation.random('cut').integer(20, 400)
      await bed.simulation.runUntil(cutMs)
      bed.process('node').crash('kill')
      const seen = newest
      bed.process('svc').restart('power')
      await bed.simulation.runUntil(cutMs + 2_000)
      expect(states.length, `seed ${seed}`).toBeLessThanOrEqual(1)
      for (const { values, version } of states) {
        expect(version, `seed ${seed}`).toBeLessThanOrEqual(seen)
        expect(values, `seed ${seed}`).toEqual({ n: version, same: version })
      }
    }
  })
})
