import { expect, test } from 'vitest'
import { LockService } from '../locks/lock.ts'
import { eventually, keysUnder, settle, withBed } from '../test-bed.test-support.ts'
import { Latches } from './latches.ts'

test('opens after so many countings down from any process, for good', () =>
  withBed(async (app, bed) => {
    const latches = new Latches(app)
    expect(await latches.create('ready', 3)).toBe(true)
    expect(await latches.create('ready', 3)).toBe(false)
    await expect(latches.create('ready', 4)).rejects.toMatchObject({ code: 'conflict' })
    const opened: string[] = []
    bed.spawn('waiter', async (own) => {
      await new Latches(own).wait('ready')
      opened.push('waiter')
    })
    for (const name of ['a', 'b'])
      bed.spawn(name, async (own) => {
        await new Latches(own).countDown('ready')
      })
    await eventually(app.world, async () => expect((await latches.state('ready')).count).toBe(1))
    await settle(app.world)
    expect(opened).toEqual([])
    expect(await latches.countDown('ready')).toBe(0)
    await eventually(app.world, () => expect(opened).toEqual(['waiter']))
    await latches.wait('ready')
    expect(await latches.countDown('ready', { by: 5 })).toBe(0)
    expect(await latches.state('ready')).toEqual({ count: 0, initial: 3 })
    expect(await latches.delete('ready')).toBe(true)
    expect(await keysUnder(app.store, '/althing/latches')).toEqual([])
  }))

test('counts each party once, however often it calls', () =>
  withBed(async (app) => {
    const latches = new Latches(app)
    await latches.create('ready', 2)
    const counts = await Promise.all([1, 2, 3].map(() => latches.countDown('ready', { party: 'a' })))
    expect(counts).toEqual([1, 1, 1])
    expect(await latches.countDown('ready', { party: 'b' })).toBe(0)
    expect(await latches.delete('ready')).toBe(true)
    expect(await keysUnder(app.store, '/althing/latches')).toEqual([])
  }))

test('a wait ends with its time, its signal, the latch and the service', () =>
  withBed(async (app) => {
    const latches = new Latches(app)
    await expect(latches.wait('ready')).rejects.toMatchObject({ code: 'not-found' })
    await expect(latches.countDown('ready')).rejects.toMatchObject({ code: 'not-found' })
    await expect(latches.countDown('ready', { party: 'a' })).rejects.toMatchObject({ code: 'not-found' })
    await latches.create('ready', 1)
    await expect(latches.wait('ready', { waitTimeout: '200ms' })).rejects.toMatchObject({ code: 'timeout' })
    const leaving = new AbortController()
    const aborted = latches.wait('ready', { signal: leaving.signal }).catch((error: unknown) => error)
    leaving.abort()
    expect(await aborted).toMatchObject({ code: 'aborted' })
    const deleted = latches.wait('ready').catch((error: unknown) => error)
    await settle(app.world)
    await latches.delete('ready')
    expect(await deleted).toMatchObject({ code: 'not-found' })
    await latches.create('ready', 1)
    const closed = latches.wait('ready').catch((error: unknown) => error)
    await settle(app.world)
    await latches.close()
    expect(await closed).toMatchObject({ code: 'closed' })
  }))

test('is taken away after the time that was asked for, and refuses a stale fence', () =>
  withBed(async (app) => {
    const latches = new Latches(app)
    const locks = new LockService(app)
    await latches.create('ready', 2, { keepFor: '2s' })
    const lock = await locks.acquire('starter')
    const { fence } = lock
    expect(await latches.countDown('ready', { fence, party: 'a' })).toBe(1)
    await lock.release()
    await expect(latches.countDown('ready', { fence })).rejects.toMatchObject({ code: 'stale-token' })
    await expect(latches.countDown('ready', { fence, party: 'b' })).rejects.toMatchObject({
      code: 'stale-token',
    })
    await eventually(app.world, async () =>
      expect(await keysUnder(app.store, '/althing/latches')).toEqual([]),
    )
    for (const count of [0, 1.5, 2_000_000_000])
      await expect(latches.create('ready', count)).rejects.toMatchObject({ code: 'invalid-argument' })
    await locks.close()
  }))
