import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { isAlthingError } from '../../contracts/errors.ts'
import { NodeAesGcm } from '../../world/aes-gcm.ts'
import { LockService } from '../locks/lock.ts'
import { type App, eventually, keysUnder, settle, sleep, withBed } from '../test-bed.test-support.ts'
import { ConfigService } from './config.ts'
import type { ConfigReader } from './config-types.ts'
import type { MasterKey } from './secret-box.ts'

const by = { author: 'ada' }
const poolSchema = z.object({ pool: z.number().int().min(1).max(100), region: z.string().default('north') })

const keyOf = (id: string, fill: number): MasterKey => ({ id, bytes: new Uint8Array(32).fill(fill) })
const secretsOf = (...keys: MasterKey[]) => ({ secrets: { cipher: new NodeAesGcm(), keys } })

function serviceOf({ store, world, accept }: App, options: object = {}): ConfigService {
  return new ConfigService({ store, world, accept, ...options })
}

const valuesOf = (reader: ConfigReader<unknown>) => reader.current?.values

describe('config: layers and versions', () => {
  test('the later layer wins key by key, and it is told which one each value is from', async () => {
    await withBed(async (app) => {
      const config = serviceOf(app)
      await config.set('*', { region: 'north', pool: 5, trace: false }, by)
      await config.set('api', { pool: 10 }, by)
      await config.set('api', { trace: true }, { ...by, instance: 'a' })
      const [a, b] = ['a', 'b'].map((instance) => config.open('api', { instance }))
      await Promise.all([a?.ready, b?.ready])
      expect(a?.current).toEqual({
        values: { region: 'north', pool: 10, trace: true },
        version: 2,
        globalVersion: 1,
        layers: { region: 'global', pool: 'service', trace: 'instance' },
        sealed: [],
        source: 'store',
        stale: false,
      })
      expect(b?.current?.values).toEqual({ region: 'north', pool: 10, trace: false })
      expect(b?.get('pool')).toBe(10)
      const effective = await config.effective('api', { instance: 'a' })
      expect(effective.values['trace']).toEqual({ value: true, isSecret: false, layer: 'instance' })
      await config.close()
    })
  })

  test('a change of several keys is pushed as one version, to every reader', async () => {
    await withBed(async (app) => {
      const config = serviceOf(app)
      await config.set('api', { a: 0, b: 0 }, by)
      const readers = Array.from({ length: 5 }, () => config.open('api'))
      await Promise.all(readers.map(({ ready }) => ready))
      const torn: unknown[] = []
      for (const reader of readers)
        reader.subscribe(({ values }) => {
          if (values['a'] !== values['b']) torn.push(values)
        })
      for (let n = 1; n <= 10; n++) await config.set('api', { a: n, b: n }, by)
      await eventually(app.world, () => {
        for (const reader of readers) expect(reader.version).toBe(11)
      })
      expect(torn).toEqual([])
      expect(readers.map((reader) => reader.get('a'))).toEqual([10, 10, 10, 10, 10])
      await config.close()
    })
  })

  test('before anything is written a reader without a schema has nothing, and one with required values waits', async () => {
    await withBed(async (app) => {
      const config = serviceOf(app)
      const free = config.open('api')
      const strict = config.open('api', { schema: poolSchema })
      await free.ready
      expect(free.current).toMatchObject({ values: {}, version: 0, globalVersion: 0 })
      expect(strict.current).toBeUndefined()
      await eventually(app.world, () => expect(strict.problem).toBeDefined())
      expect(() => strict.get('pool')).toThrow(/nothing is known of the configuration of api yet.*pool/)
      await config.set('api', { pool: 3 }, { ...by, schema: poolSchema })
      await strict.ready
      expect(strict.get('pool')).toBe(3)
      expect(strict.get('region')).toBe('north')
      await config.close()
    })
  })

  test('the history says who, when and why, is bounded, and tells the difference between versions', async () => {
    await withBed(async (app) => {
      const config = serviceOf(app, { historyMax: 3 })
      const startMs = app.world.clock.wallMs()
      await config.set('api', { a: 1, b: { x: [1] } }, { author: 'ada', message: 'first' })
      await config.set('api', { a: 2 }, { author: 'ben', message: 'more' })
      await config.change('api', { set: { c: true }, unset: ['b'] }, { author: 'cy' })
      await config.set('api', { a: 9 }, { ...by, instance: 'i' })
      const history = await config.history('api')
      expect(history.map(({ version, author, message }) => [version, author, message])).toEqual([
        [4, 'ada', ''],
        [3, 'cy', ''],
        [2, 'ben', 'more'],
      ])
      expect(history[0]?.atMs).toBeGreaterThanOrEqual(startMs)
      expect(await config.history('api', { limit: 1, before: 4 })).toMatchObject([{ version: 3 }])
      expect(await config.diff('api', 2, 4)).toEqual([
        { key: 'b', before: { value: { x: [1] }, isSecret: false } },
        { key: 'c', after: { value: true, isSecret: false } },
        { key: 'a', instance: 'i', after: { value: 9, isSecret: false } },
      ])
      await expect(config.diff('api', 1, 2)).rejects.toMatchObject({ code: 'not-found' })
      expect((await keysUnder(app.store, '/althing/config/history/')).length).toBe(3)
    })
  })

  test('a rollback restores an older version exactly, as a new one', async () => {
    await withBed(async (app) => {
      const config = serviceOf(app)
      await config.set('api', { a: 1, b: 2 }, by)
      await config.set('api', { b: 3 }, { ...by, instance: 'i' })
      await config.change('api', { set: { c: 1 }, unset: ['a'] }, by)
      await config.unset('api', ['b'], { ...by, instance: 'i' })
      const done = await config.rollback('api', 2, { author: 'ops', message: 'broken' })
      expect(done.stable).toMatchObject({
        version: 5,
        cause: { kind: 'rollback', of: 2 },
        author: 'ops',
        message: 'broken',
      })
      expect(await config.diff('api', 2, 5)).toEqual([])
      await expect(config.rollback('api', 77, by)).rejects.toMatchObject({
        code: 'not-found',
        outcome: 'none',
      })
    })
  })
})

describe('config: who may write what', () => {
  test('a write on an expected version is refused when another was faster; without one it goes on top', async () => {
    await withBed(async (app) => {
      const config = serviceOf(app)
      await config.set('api', { a: 1 }, { ...by, expectedVersion: 0 })
      await config.set('api', { b: 1 }, { ...by, expectedVersion: 1 })
      await expect(config.set('api', { a: 2 }, { ...by, expectedVersion: 1 })).rejects.toMatchObject({
        code: 'conflict',
        outcome: 'none',
      })
      await Promise.all(Array.from({ length: 8 }, (_, n) => config.set('api', { [`k${n}`]: n }, by)))
      const { stable } = await config.get('api')
      expect(stable.version).toBe(10)
      expect(Object.keys(stable.values)).toHaveLength(10)
    })
  })

  test('a write under the fence of a lock is refused once the lock has passed on', async () => {
    await withBed(async (app) => {
      const config = serviceOf(app)
      const locks = new LockService(app)
      const lock = await locks.acquire('deploy', { ttl: '5s' })
      await config.set('api', { a: 1 }, { ...by, fence: lock.fence })
      const { fence } = lock
      await lock.release()
      await expect(config.set('api', { a: 2 }, { ...by, fence })).rejects.toMatchObject({
        code: 'stale-token',
        outcome: 'none',
      })
      expect((await config.get('api')).latest).toBe(1)
      await locks.close()
    })
  })

  test.each([
    ['a name', { set: { __proto__x: 1 } }, 'key'],
    ['no JSON', { set: { a: { b: [undefined] } } }, 'a.b.0'],
    ['a number that would lose digits', { set: { a: 2 ** 60 } }, 'a'],
    ['a date', { set: { a: new Date(0) } }, 'a'],
    ['nothing', {}, 'change'],
    ['an instance of the global layer', { set: { a: 1 }, instance: 'i' }, 'instance'],
  ])('bad input is refused by its name before anything changes: %s', async (_, change, field) => {
    await withBed(async (app) => {
      const config = serviceOf(app)
      await expect(config.change('*', change, by)).rejects.toMatchObject({
        code: 'invalid-argument',
        details: { field },
      })
      await expect(config.change('*', { set: { a: 1 } }, { author: '' })).rejects.toMatchObject({
        details: { field: 'author' },
      })
      await expect(config.unset('*', ['a'], by)).rejects.toMatchObject({ code: 'not-found', outcome: 'none' })
      expect(await keysUnder(app.store, '/althing/config/')).toEqual([])
    })
  })
})

describe('config: schemas', () => {
  test('a value that does not fit the stored schema is refused by its field, in each layer', async () => {
    await withBed(async (app) => {
      const config = serviceOf(app)
      await config.set('api', { pool: 5 }, by)
      await config.setSchema('api', poolSchema, by)
      const refused = (field: string) => ({
        code: 'invalid-argument',
        outcome: 'none',
        details: { field, service: 'api' },
      })
      await expect(config.set('api', { pool: 0 }, by)).rejects.toMatchObject(refused('pool'))
      await expect(config.set('api', { pool: 'many' }, { ...by, instance: 'i' })).rejects.toMatchObject({
        ...refused('pool'),
        details: { field: 'pool', service: 'api', instance: 'i' },
      })
      await expect(config.unset('api', ['pool'], by)).rejects.toMatchObject(refused('pool'))
      await expect(config.set('*', { region: 7 }, by)).rejects.toMatchObject(refused('region'))
      await config.set('*', { other: 7 }, by)
      await expect(config.setSchema('api', { type: 'object', required: ['zone'] }, by)).rejects.toMatchObject(
        refused('zone'),
      )
      expect((await config.get('api')).latest).toBe(2)
      await config.setSchema('api', undefined, by)
      await config.set('api', { pool: 0 }, by)
      await expect(
        config.rollback('api', 1, { ...by, schema: z.object({ pool: z.string() }) }),
      ).rejects.toMatchObject({
        details: { field: 'pool' },
      })
    })
  })

  test('a reader whose own schema refuses a version keeps the last good one, and says so', async () => {
    await withBed(async (app) => {
      const config = serviceOf(app)
      await config.set('api', { pool: 5 }, by)
      const reader = config.open('api', { schema: poolSchema, instance: 'a' })
      await reader.ready
      const seen: unknown[] = []
      reader.subscribe(({ values }) => seen.push(values.pool))
      await config.set('api', { pool: 500 }, by)
      await eventually(app.world, () => expect(reader.problem).toMatchObject({ kind: 'schema', version: 2 }))
      expect(reader.current).toMatchObject({ version: 1, values: { pool: 5 }, problem: { kind: 'schema' } })
      await eventually(app.world, async () =>
        expect(await config.instances('api')).toMatchObject([
          { instance: 'a', version: 1, problem: { kind: 'schema', version: 2 } },
        ]),
      )
      await config.set('api', { pool: 50 }, by)
      await eventually(app.world, () =>
        expect(reader.current).toMatchObject({ version: 3, values: { pool: 50 } }),
      )
      expect(reader.problem).toBeUndefined()
      expect(new Set(seen)).toEqual(new Set([5, 50]))
      await config.close()
    })
  })
})

describe('config: staged releases', () => {
  test('a share of the instances gets the version, exactly those that the hash says; promoted, all of them', async () => {
    await withBed(async (app) => {
      const config = serviceOf(app)
      await config.set('api', { a: 1 }, by)
      const readers = Array.from({ length: 12 }, (_, n) => config.open('api', { instance: `i${n}` }))
      await Promise.all(readers.map(({ ready }) => ready))
      const expectShare = async (share: number): Promise<void> => {
        await eventually(app.world, async () => {
          const reports = await config.instances('api')
          expect(reports).toHaveLength(12)
          for (const { instance, place, version } of reports) {
            expect(version, instance).toBe(place < share ? 2 : 1)
            expect(readers.find((reader) => reader.instance === instance)?.version).toBe(version)
          }
        })
      }
      await config.set('api', { a: 2 }, { ...by, release: { share: 30 } })
      await expectShare(30)
      await expect(config.set('api', { a: 3 }, by)).rejects.toMatchObject({
        code: 'conflict',
        details: { version: 2 },
      })
      await expect(config.release('api', { share: 10 }, by)).rejects.toMatchObject({
        code: 'invalid-argument',
      })
      await config.release('api', { share: 60 }, by)
      await expectShare(60)
      await config.promote('api', { author: 'ben' })
      await expectShare(100)
      expect(
        (await config.history('api', { limit: 1 }))[0]?.steps.map(({ step, share }) => [step, share]),
      ).toEqual([
        ['staged', 30],
        ['widened', 60],
        ['promoted', 60],
      ])
      await config.close()
    })
  })

  test('by label, and taken back: versions only grow for who had the staged one, and the values are the old ones', async () => {
    await withBed(async (app) => {
      const config = serviceOf(app)
      await config.set('api', { a: 1 }, by)
      const north = config.open('api', { labels: { zone: 'north', tier: '1' } })
      const south = config.open('api', { labels: { zone: 'south' } })
      await Promise.all([north.ready, south.ready])
      await config.set('api', { a: 2 }, { ...by, release: { match: { zone: 'north' } } })
      await eventually(app.world, () => expect([north.version, south.version]).toEqual([2, 1]))
      await settle(app.world)
      expect(south.version).toBe(1)
      await config.abort('api', by)
      await eventually(app.world, () => expect([north.version, south.version]).toEqual([3, 3]))
      expect([valuesOf(north), valuesOf(south)]).toEqual([{ a: 1 }, { a: 1 }])
      await expect(config.promote('api', by)).rejects.toMatchObject({ code: 'not-found' })
      await config.close()
    })
  })
})

describe('config: secrets', () => {
  test('a secret is nowhere in the store, is shown only to who has its key, and reaches readers open', async () => {
    await withBed(async (app) => {
      const config = serviceOf(app, secretsOf(keyOf('k1', 1)))
      const blind = serviceOf(app)
      await config.set('api', { password: 'hunter2hunter2', user: 'ada' }, { ...by, secret: ['password'] })
      await config.set('api', { password: 'hunter3hunter3' }, by)
      const { kvs } = await app.store.range({ key: '\u0001', end: null })
      for (const { value } of kvs) expect(Buffer.from(value).toString()).not.toMatch(/hunter/)
      expect((await config.get('api')).stable.values['password']).toEqual({ isSecret: true, key: 'k1' })
      expect(
        JSON.stringify([
          await config.diff('api', 0, 2),
          await config.history('api'),
          await config.effective('api'),
        ]),
      ).not.toMatch(/hunter/)
      expect((await config.get('api', { reveal: true })).stable.values['password']).toMatchObject({
        value: 'hunter3hunter3',
      })
      await expect(blind.get('api', { reveal: true })).rejects.toMatchObject({ code: 'not-found' })
      await expect(blind.set('api', { password: 'x' }, by)).rejects.toMatchObject({
        code: 'invalid-argument',
      })
      await blind.set('api', { user: 'ben' }, by)
      const [open, sealed] = [config.open('api'), blind.open('api')]
      await Promise.all([open.ready, sealed.ready])
      expect(valuesOf(open)).toEqual({ password: 'hunter3hunter3', user: 'ben' })
      expect(sealed.current).toMatchObject({ values: { user: 'ben' }, sealed: ['password'] })
      await Promise.all([config.close(), blind.close()])
    })
  })

  test('what the schema calls writeOnly is sealed unasked, and no refusal tells it', async () => {
    await withBed(async (app) => {
      const config = serviceOf(app, secretsOf(keyOf('k1', 1)))
      const schema = z.object({
        password: z
          .string()
          .regex(/^[a-z]+$/)
          .meta({ writeOnly: true })
          .optional(),
      })
      await config.setSchema('api', schema, by)
      await config.set('api', { password: 'sesame' }, { ...by, schema })
      expect((await config.get('api')).stable.values['password']).toMatchObject({ isSecret: true })
      const refusal = await config
        .set('api', { password: 'HUNTER2' }, { ...by, schema })
        .catch((error: unknown) => error)
      expect(isAlthingError(refusal, 'invalid-argument')).toBe(true)
      expect(JSON.stringify(refusal)).not.toMatch(/HUNTER2/)
    })
  })

  test('a ciphertext that was moved to another key or service is refused; the reader keeps what it had', async () => {
    await withBed(async (app) => {
      const config = serviceOf(app, secretsOf(keyOf('k1', 1)))
      await config.set('api', { a: 'one', b: 'two' }, { ...by, secret: ['a', 'b'] })
      const reader = config.open('api')
      await reader.ready
      const [kv] = (await app.store.range({ key: '/althing/config/current/api' })).kvs
      const record = JSON.parse(Buffer.from(kv?.value ?? []).toString()) as {
        latest: number
        stable: { version: number; values: Record<string, unknown> }
      }
      const { a, b } = record.stable.values
      record.latest = 2
      record.stable = { ...record.stable, version: 2, values: { a: b, b: a } }
      await app.store.txn({
        then: [{ op: 'put', key: '/althing/config/current/api', value: Buffer.from(JSON.stringify(record)) }],
      })
      await eventually(app.world, () => expect(reader.problem).toMatchObject({ kind: 'secret' }))
      expect(valuesOf(reader)).toEqual({ a: 'one', b: 'two' })
      await config.close()
    })
  })

  test('keys are rotated in the current version, the staged one and the history, and the old key is needed no more', async () => {
    await withBed(async (app) => {
      const old = serviceOf(app, secretsOf(keyOf('k1', 1)))
      await old.set('api', { password: 'one' }, { ...by, secret: ['password'] })
      await old.set('api', { password: 'own' }, { ...by, instance: 'i' })
      await old.set('api', { password: 'two' }, { ...by, release: { share: 50 } })
      const both = serviceOf(app, secretsOf(keyOf('k2', 2), keyOf('k1', 1)))
      expect(await both.rotateKeys()).toEqual({ resealed: 9, unchanged: 0 })
      expect(await both.rotateKeys({ scope: 'api' })).toEqual({ resealed: 0, unchanged: 9 })
      const fresh = serviceOf(app, secretsOf(keyOf('k2', 2)))
      expect((await fresh.version('api', 1, { reveal: true })).values['password']).toMatchObject({
        value: 'one',
      })
      const document = await fresh.get('api', { reveal: true })
      expect(document.staged?.version.values['password']).toMatchObject({ value: 'two', key: 'k2' })
      expect(document.latest).toBe(3)
      const late = old.open('api')
      await eventually(app.world, () =>
        expect(late.problem).toMatchObject({
          kind: 'secret',
          message: expect.stringContaining('k2') as string,
        }),
      )
      await Promise.all([old, both, fresh].map((each) => each.close()))
    })
  })
})

describe('config: instances', () => {
  test('what an instance runs is told while it lives, and goes with it', async () => {
    await withBed(async (app, bed) => {
      const config = serviceOf(app)
      await config.set('api', { a: 1 }, by)
      const mortal = bed.spawn('mortal', async (other) => {
        await serviceOf(other).open('api', { instance: 'm', labels: { zone: 'z' } }).ready
        await sleep(other.world, 3_600_000)
      })
      const reader = config.open('api', { instance: 'r' })
      await eventually(app.world, async () =>
        expect(await config.instances('api')).toMatchObject([
          {
            service: 'api',
            instance: 'm',
            labels: { zone: 'z' },
            version: 1,
            globalVersion: 0,
            source: 'store',
          },
          { service: 'api', instance: 'r', version: 1 },
        ]),
      )
      mortal.crash()
      await reader.close()
      expect((await config.instances('*')).map(({ instance }) => instance)).toEqual(['m'])
      await sleep(app.world, 15_500 + bed.lateMs)
      expect(await config.instances('*')).toEqual([])
      expect(await app.store.leases()).toEqual([])
      expect(await config.remove('api')).toBe(true)
      expect(await keysUnder(app.store, '/althing/config/')).toEqual([])
      await config.close()
    })
  })

  test('a reader that is cut off goes on with what it knows, marked stale, and catches up', async () => {
    await withBed(async (app, bed) => {
      const config = serviceOf(app)
      await config.set('api', { a: 1 }, by)
      let reader: ConfigReader | undefined
      bed.spawn('cut', async (other) => {
        reader = serviceOf(other).open('api', { staleAfter: '2s' })
        await sleep(other.world, 3_600_000)
      })
      await eventually(app.world, () => expect(reader?.version).toBe(1))
      expect(reader?.stale).toBe(false)
      const mend = bed.isolate('cut')
      await config.set('api', { a: 2 }, by)
      await eventually(app.world, () =>
        expect(reader?.current).toMatchObject({ stale: true, version: 1, values: { a: 1 } }),
      )
      expect(reader?.ageMs).toBeGreaterThanOrEqual(2_000)
      mend()
      await eventually(app.world, () => expect(reader?.current).toMatchObject({ stale: false, version: 2 }))
      await config.close()
    })
  })
})
