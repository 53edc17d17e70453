import { describe, expect, test } from 'vitest'
import { aborted, eventually, keysUnder, settle, sleep, withBed } from '../test-bed.test-support.ts'
import { Discovery } from './discovery.ts'
import { HostedRegistrations } from './hosted-registrations.ts'

const place = { service: 'api', id: 'a' }
const description = { ...place, address: '10.0.0.1:80', zone: 'north' }

describe('a registration that others keep', () => {
  test('lives as long as it is renewed, and goes within its ttl', async () => {
    await withBed(async ({ store, world, accept }, bed) => {
      const hosted = new HostedRegistrations(store, world)
      const discovery = new Discovery({ store, world, accept })
      const instance = await hosted.register({ ...description, ttl: '2s' })
      expect(instance).toMatchObject({ ...description, registrar: 'api', health: { state: 'healthy' } })
      for (let i = 0; i < 4; i++) {
        await sleep(world, 1_000)
        expect((await hosted.renew(place)).ttlMs).toBeGreaterThanOrEqual(2_000)
      }
      expect(await discovery.instances('api')).toEqual([instance])
      await sleep(world, 2_000 + bed.lateMs + 1_000)
      expect(await discovery.instances('api')).toEqual([])
      await expect(hosted.renew(place)).rejects.toMatchObject({ code: 'not-found', outcome: 'none' })
    })
  })

  test('is changed by registering again: the same registration, health and drain told apart', async () => {
    await withBed(async ({ store, world, accept }) => {
      const hosted = new HostedRegistrations(store, world)
      const discovery = new Discovery({ store, world, accept })
      const first = await hosted.register({ ...description, ttl: '30s' })
      await hosted.report(place, false, 'disk full')
      await hosted.drain(place)
      expect((await discovery.instances('api'))[0]).toMatchObject({
        state: 'draining',
        health: { state: 'unhealthy', results: [{ ok: false, note: 'disk full' }] },
      })
      const again = await hosted.register({ ...description, weight: 3, ttl: '40s' })
      expect(again).toMatchObject({ weight: 3, state: 'up', health: { state: 'unhealthy' } })
      expect(again.registrationRevision).toBe(first.registrationRevision)
      await settle(world)
      expect(await store.leases()).toHaveLength(1)
      expect(await hosted.deregister(place)).toBe(true)
      expect(await hosted.deregister(place)).toBe(false)
      expect(await keysUnder(store, '/althing/services/')).toEqual([])
      await eventually(world, async () => expect(await store.leases()).toEqual([]))
    })
  })

  test('with a check by the cluster may do without a ttl; with neither it is refused', async () => {
    await withBed(async ({ store, world }) => {
      const hosted = new HostedRegistrations(store, world)
      const instance = await hosted.register({ ...description, check: { tcp: '10.0.0.1:80' } })
      expect(instance).toMatchObject({ check: { by: 'cluster' }, health: { state: 'unknown' } })
      expect(await store.leases()).toEqual([])
      expect(await hosted.renew(place)).toEqual({ ttlMs: undefined })
      await expect(hosted.report(place, true)).rejects.toMatchObject({ code: 'conflict', outcome: 'none' })
      await expect(hosted.register(description)).rejects.toMatchObject({ details: { field: 'ttl' } })
    })
  })

  test('does not touch what a process holds, unless told to take it over: the process then hears of it', async () => {
    await withBed(async ({ store, world, accept }) => {
      const hosted = new HostedRegistrations(store, world)
      const discovery = new Discovery({ store, world, accept })
      const registration = await discovery.register({ ...description, reregister: false })
      await sleep(world, 1_500)
      const conflict = { code: 'conflict', outcome: 'none' }
      await expect(hosted.register({ ...description, ttl: '5s' })).rejects.toMatchObject(conflict)
      await expect(hosted.deregister(place)).rejects.toMatchObject(conflict)
      await expect(hosted.drain(place)).rejects.toMatchObject(conflict)
      const taken = await hosted.register({ ...description, ttl: '30s', takeOver: true })
      expect(taken.registrationRevision).toBeGreaterThan(registration.instance.registrationRevision)
      await aborted(registration.lost)
      expect(await discovery.instances('api')).toEqual([taken])
    })
  })
})
