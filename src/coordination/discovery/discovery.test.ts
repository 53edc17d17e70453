import { describe, expect, test } from 'vitest'
import { bytesFromText } from '../../base/bytes.ts'
import { AlthingError } from '../../contracts/errors.ts'
import type { KeyValue } from '../../contracts/store.ts'
import { Discovery } from './discovery.ts'
import { isEligible, type LiveSetState, type Registration } from './discovery-types.ts'
import {
  aborted,
  eventually,
  keysUnder,
  overriding,
  settle,
  sleep,
  withBed,
} from '../test-bed.test-support.ts'

const idsOf = (state: LiveSetState) => state.instances.map(({ id }) => id)

describe('discovery', () => {
  test('an instance is found with all that it says of itself, until it deregisters', async () => {
    await withBed(async ({ store, world, accept }) => {
      const discovery = new Discovery({ store, world, accept })
      const startMs = world.clock.wallMs()
      const registration = await discovery.register({
        service: 'api',
        id: 'a',
        address: '10.0.0.1:80',
        zone: 'north',
        version: '1.2.3',
        weight: 50,
        metadata: { role: 'primary' },
      })
      const [found] = await discovery.instances('api')
      expect(found).toMatchObject({
        service: 'api',
        id: 'a',
        address: '10.0.0.1:80',
        zone: 'north',
        version: '1.2.3',
        weight: 50,
        metadata: { role: 'primary' },
        state: 'up',
        health: { state: 'healthy', flapping: false },
      })
      expect(found?.registeredAtMs).toBeGreaterThanOrEqual(startMs)
      expect(found?.registeredAtMs).toBeLessThanOrEqual(world.clock.wallMs())
      expect(registration.instance).toEqual(found)
      expect(found !== undefined && isEligible(found)).toBe(true)
      expect(await discovery.services()).toEqual(['api'])
      await registration.deregister()
      expect(await discovery.instances('api')).toEqual([])
      await discovery.close()
      expect(await store.leases()).toEqual([])
    })
  })

  test('a live set follows registrations, updates, drains and deaths', async () => {
    await withBed(async ({ store, world, accept }, bed) => {
      const discovery = new Discovery({ store, world, accept })
      const live = discovery.watch('api')
      expect(live.current).toEqual({ instances: [], stale: true, revision: 0 })
      await live.ready
      expect(live.current).toMatchObject({ instances: [], stale: false })
      const mortal = bed.spawn('b', async (app) => {
        await new Discovery(app).register({ service: 'api', id: 'b', address: 'b:1', ttl: '5s' })
      })
      const a = await discovery.register({ service: 'api', id: 'a', address: 'a:1' })
      await discovery.register({ service: 'other', address: 'x:1' })
      await eventually(world, () => expect(idsOf(live.current)).toEqual(['a', 'b']))
      await a.update({ weight: 7, version: '2' })
      await eventually(world, () =>
        expect(live.current.instances[0]).toMatchObject({ weight: 7, version: '2', address: 'a:1' }),
      )
      await a.drain()
      await eventually(world, () => expect(live.current.instances.map(isEligible)).toEqual([false, true]))
      mortal.crash()
      await sleep(world, 3_000)
      expect(idsOf(live.current)).toEqual(['a', 'b'])
      await eventually(world, () => expect(idsOf(live.current)).toEqual(['a']))
      live.close()
    })
  })

  test('changes are told as they come, to listeners and to readers, until the set is closed', async () => {
    await withBed(async ({ store, world, accept }) => {
      const discovery = new Discovery({ store, world, accept })
      const live = discovery.watch('api')
      const heard: string[] = []
      const read: string[] = []
      live.subscribe((state) => heard.push(idsOf(state).join()))
      const reading = (async () => {
        for await (const state of live.changes) read.push(idsOf(state).join())
      })()
      await live.ready
      for (const id of ['a', 'b']) {
        const told = heard.length
        await discovery.register({ service: 'api', id, address: 'x:1' })
        await eventually(world, () => expect(heard.length).toBeGreaterThan(told))
      }
      live.close()
      await reading
      expect(heard).toEqual(['', '', 'a', 'a,b'])
      expect(read).toEqual(['', '', 'a', 'a,b'])
    })
  })

  test('the last known set is kept, marked stale, while the store cannot be reached', async () => {
    await withBed(async ({ store, world, accept }, bed) => {
      const live = new Discovery({ store, world, accept }).watch('api', { staleAfter: '3s' })
      bed.spawn('b', async (app) => {
        await new Discovery(app).register({ service: 'api', id: 'b', address: 'b:1', ttl: '60s' })
      })
      const known = { instances: [{ id: 'b' }] }
      await eventually(world, () => expect(live.current).toMatchObject({ stale: false, ...known }))
      await sleep(world, 5_000)
      expect(live.current).toMatchObject({ stale: false, ...known })
      const heal = bed.isolate('app')
      await sleep(world, 4_000 + bed.lateMs)
      expect(live.current).toMatchObject({ stale: true, ...known })
      await sleep(world, 20_000)
      expect(live.current).toMatchObject({ stale: true, ...known })
      heal()
      await eventually(world, () => expect(live.current).toMatchObject({ stale: false, ...known }))
    })
  })

  test('a set is not stale on an engine whose watches do not say that nothing happens', async () => {
    await withBed(async ({ store, world, accept }, bed) => {
      const silent = overriding(store, {
        capabilities: { ...store.capabilities, watchProgressMsMin: 600_000 },
        watch: ({ progressMs, ...request }) =>
          store.watch({ ...request, progressMs: (progressMs ?? 0) + 600_000 }),
      })
      const live = new Discovery({ store: silent, world, accept }).watch('api', { staleAfter: '3s' })
      await live.ready
      await sleep(world, 7_000)
      expect(live.current.stale).toBe(false)
      bed.isolate('app')
      await sleep(world, 4_000 + bed.lateMs)
      expect(live.current.stale).toBe(true)
    })
  })

  test('a registration that was lost comes back by itself, as a later one', async () => {
    await withBed(async ({ store, world, accept }, bed) => {
      let registration: Registration | undefined
      bed.spawn('b', async (app) => {
        registration = await new Discovery(app).register({
          service: 'api',
          id: 'b',
          address: 'b:1',
          ttl: '3s',
        })
      })
      await eventually(world, () => expect(registration).toBeDefined())
      const before = registration?.instance.registrationRevision ?? 0
      const heal = bed.isolate('b')
      await sleep(world, 10_000)
      expect(registration?.isRegistered).toBe(false)
      expect(registration?.lost.aborted).toBe(false)
      await registration?.update({ version: '2' })
      heal()
      await eventually(world, () => expect(registration?.isRegistered).toBe(true))
      const discovery = new Discovery({ store, world, accept })
      // An entry that was on its way before the change comes first.
      await eventually(world, async () => {
        const [found] = await discovery.instances('api')
        expect(found).toMatchObject({ id: 'b', version: '2' })
        expect(found?.registrationRevision).toBeGreaterThan(before)
      })
    })
  })

  test('a loss is final when reregister is false', async () => {
    await withBed(async ({ store, world, accept }) => {
      const discovery = new Discovery({ store, world, accept })
      const registration = await discovery.register({
        service: 'api',
        id: 'a',
        address: 'a:1',
        reregister: false,
      })
      await sleep(world, 1_500)
      await store.txn({ then: [{ op: 'delete', key: '/althing/services/api/a' }] })
      expect(await aborted(registration.lost)).toMatchObject({ code: 'lost', details: { cause: 'removed' } })
      await sleep(world, 10_000)
      expect(await discovery.instances('api')).toEqual([])
    })
  })

  test('an id that is taken is refused, unless it is taken over: then the former registration is lost for good', async () => {
    await withBed(async ({ store, world, accept }) => {
      const discovery = new Discovery({ store, world, accept })
      const first = await discovery.register({ service: 'api', id: 'a', address: 'old:1' })
      const again = { service: 'api', id: 'a', address: 'new:1' }
      await expect(discovery.register(again)).rejects.toMatchObject({ code: 'conflict', outcome: 'none' })
      await sleep(world, 1_500)
      const second = await discovery.register({ ...again, takeOver: true })
      expect(await aborted(first.lost)).toMatchObject({ code: 'lost' })
      await sleep(world, 30_000)
      expect(second.isRegistered).toBe(true)
      expect(await discovery.instances('api')).toMatchObject([{ address: 'new:1' }])
    })
  })

  test('a check decides on health after several results, and a check that hangs has failed', async () => {
    await withBed(async ({ store, world, accept }) => {
      const discovery = new Discovery({ store, world, accept })
      let mode: 'good' | 'bad' | 'hangs' = 'good'
      await discovery.register({
        service: 'api',
        address: 'a:1',
        check: {
          interval: '1s',
          timeout: '500ms',
          run: () => {
            if (mode === 'hangs') return new Promise(() => {})
            if (mode === 'bad') throw new Error('disk full')
            return true
          },
        },
      })
      const health = async () => (await discovery.instances('api'))[0]?.health
      await sleep(world, 2_000)
      expect(await health()).toMatchObject({ state: 'healthy' })
      mode = 'bad'
      await sleep(world, 1_500)
      expect(await health()).toMatchObject({ state: 'healthy' })
      const failed = { ok: false, note: 'disk full' }
      await eventually(world, async () => expect(await health()).toMatchObject({ state: 'unhealthy' }))
      expect((await health())?.results.slice(0, 4)).toMatchObject([failed, failed, failed, { ok: true }])
      mode = 'good'
      await eventually(world, async () => expect(await health()).toMatchObject({ state: 'healthy' }))
      mode = 'hangs'
      await eventually(world, async () =>
        expect(await health()).toMatchObject({
          state: 'unhealthy',
          results: [{ note: 'no result within 500 ms' }, {}, {}, {}, {}, {}, {}, {}],
        }),
      )
    })
  })

  test('reports from elsewhere count like runs of a check', async () => {
    await withBed(async ({ store, world, accept }) => {
      const discovery = new Discovery({ store, world, accept })
      const registration = await discovery.register({ service: 'api', address: 'a:1' })
      for (let n = 0; n < 3; n++) await registration.reportHealth(false, 'queue too long')
      expect((await discovery.instances('api'))[0]?.health).toMatchObject({
        state: 'unhealthy',
        results: [{ note: 'queue too long' }, {}, {}],
      })
    })
  })

  test('a verdict that changes while the store cannot be reached is published when it can', async () => {
    await withBed(async ({ store, world, accept }, bed) => {
      const discovery = new Discovery({ store, world, accept })
      let isGood = true
      await discovery.register({
        service: 'api',
        address: 'a:1',
        ttl: '60s',
        check: { interval: '500ms', run: () => isGood },
      })
      await sleep(world, 2_000)
      const heal = bed.isolate('app')
      isGood = false
      await sleep(world, 10_000)
      heal()
      await eventually(world, async () =>
        expect((await discovery.instances('api'))[0]?.health.state).toBe('unhealthy'),
      )
    })
  })

  test('deregister with drainFor is seen as draining first', async () => {
    await withBed(async ({ store, world, accept }) => {
      const discovery = new Discovery({ store, world, accept })
      const registration = await discovery.register({ service: 'api', address: 'a:1' })
      const leaving = registration.deregister({ drainFor: '5s' })
      await sleep(world, 4_000)
      expect(await discovery.instances('api')).toMatchObject([{ state: 'draining' }])
      await leaving
      expect(await keysUnder(store, '/althing/')).toEqual([])
      expect(registration.lost.aborted).toBe(false)
      await expect(registration.update({ weight: 1 })).rejects.toMatchObject({ code: 'closed' })
    })
  })

  test('an entry that cannot be read is left out and harms no other', async () => {
    await withBed(async ({ store, world, accept }) => {
      const discovery = new Discovery({ store, world, accept })
      const live = discovery.watch('api')
      await discovery.register({ service: 'api', id: 'b', address: 'b:1' })
      for (const [id, value] of Object.entries({ a: '{', c: 'null', d: '{"address":1}' })) {
        const key = `/althing/services/api/${id}`
        await store.txn({ then: [{ op: 'put', key, value: bytesFromText(value) }] })
      }
      await eventually(world, () => expect(idsOf(live.current)).toEqual(['b']))
      await settle(world)
      expect(idsOf(live.current)).toEqual(['b'])
      expect((await discovery.instances('api')).map(({ id }) => id)).toEqual(['b'])
    })
  })

  test('an entry under an id that no registration can have is left out: ids go into header fields', async () => {
    await withBed(async ({ store, world, accept }) => {
      const discovery = new Discovery({ store, world, accept })
      await discovery.register({ service: 'api', id: 'b', address: 'b:1' })
      const [{ value }] = (await store.range({ key: '/althing/services/api/b' })).kvs as [KeyValue]
      await store.txn({ then: [{ op: 'put', key: '/althing/services/api/x\r\nset-cookie: y', value }] })
      expect((await discovery.instances('api')).map(({ id }) => id)).toEqual(['b'])
    })
  })

  test('a registration whose renewal was carried out without an answer comes back all the same', async () => {
    await withBed(async ({ store, world, accept }) => {
      let entries = 0
      const unanswered = async <T>(call: Promise<T>): Promise<T> => {
        await call.catch(() => {})
        throw new AlthingError('timeout', 'no answer in time', { outcome: 'unknown' })
      }
      const flaky = overriding(store, {
        txn: (request, options) => {
          const isEntry = request.then?.[0]?.op === 'put' && request.then[0].lease !== 'keep'
          const reply = store.txn(request, options)
          return isEntry && ++entries === 2 ? unanswered(reply) : reply
        },
        // What the failed attempt has left behind cannot be taken back either.
        revokeLease: async () => {
          throw new AlthingError('unavailable', 'out of reach', { outcome: 'none' })
        },
      })
      const registration = await new Discovery({ store: flaky, world, accept }).register({
        service: 'api',
        id: 'b',
        address: 'b:1',
        ttl: '20s',
      })
      const [lease] = await store.leases()
      await store.revokeLease(lease?.lease ?? 0)
      await eventually(world, () => expect(entries).toBeGreaterThan(2))
      await eventually(world, () => expect(registration.isRegistered).toBe(true))
      expect(registration.lost.aborted).toBe(false)
      expect(registration.isRegistered).toBe(true)
      const [found] = await new Discovery({ store, world, accept }).instances('api')
      expect(found?.registrationRevision).toBe(registration.instance.registrationRevision)
    })
  })

  test('refuses what makes no sense', async () => {
    await withBed(async ({ store, world, accept }) => {
      const discovery = new Discovery({ store, world, accept })
      const good = { service: 'api', address: 'a:1' }
      const bad = [
        { service: 'a/b' },
        { id: '' },
        { address: '' },
        { weight: -1 },
        { ttl: '1 day' },
        { metadata: { a: 'x'.repeat(5_000) } },
        { check: { run: () => {}, unhealthyAfter: 0 } },
      ]
      for (const change of bad) {
        const registering = discovery.register({ ...good, ...change })
        await expect(registering).rejects.toMatchObject({ code: 'invalid-argument', outcome: 'none' })
      }
      expect(() => discovery.watch('a b')).toThrow(/service is "a b"/)
      expect(await store.leases()).toEqual([])
    })
  })

  test('close deregisters and closes the live sets', async () => {
    await withBed(async ({ store, world, accept }) => {
      const discovery = new Discovery({ store, world, accept })
      await discovery.register({ service: 'api', address: 'a:1' })
      const live = discovery.watch('api')
      await discovery.close()
      await expect(live.ready).rejects.toMatchObject({ code: 'closed' })
      expect(await keysUnder(store, '/althing/')).toEqual([])
    })
  })
})
