import { describe, expect, test } from 'vitest'
import { withMembers } from '../testing/conformance/broken-stores.test-support.ts'
import { Simulation } from '../testing/world/simulation.ts'
import { Althing, open } from './althing.ts'

describe('open', () => {
  test.each([
    '',
    'data',
    'memory:x',
    'redis-like://localhost',
    'file:',
    'file://host/folder',
    'althing:',
    'althing://',
    'althing://host',
    'althing://host:0',
    'althing://host:70000',
    'althing://user@host:1',
    'althing://a:1,,b:2',
    'althing://a:1/group/more',
    'althing://a:1?x=1',
    'etcd://',
    'etcd://host',
    'etcd://user:password@host:2379',
    'etcd://a:1,b:2/path',
    'postgres:',
    'postgres://',
    'postgres:///database',
    'nats://',
    'nats://a:1/b/c',
    'nats://a:1?retention=1',
    'nats://a:1?sync=never',
    5,
  ])('refuses the URL %j at once, and says what it may be', async (url) => {
    await expect(open(url as string)).rejects.toMatchObject({
      code: 'invalid-argument',
      details: { field: 'url' },
    })
  })

  test('refuses a bad duration before anything is opened', async () => {
    await expect(open('memory:', { maxStall: -1 })).rejects.toMatchObject({ code: 'invalid-argument' })
    await expect(open('althing://127.0.0.1:1', { timeout: '5 lightyears' as '5s' })).rejects.toMatchObject({
      code: 'invalid-argument',
    })
  })

  test('opens the folder that is named, also on the disk of a world that is given', async () => {
    const simulation = new Simulation({ seed: 1 })
    let isDone = false
    simulation.process('app', async (world) => {
      for (const folder of ['a', 'b']) {
        const althing = await open(`file:${folder}`, { world })
        await althing.store.put('k', folder)
        await althing.close()
      }
      const again = await open('file:./a', { world })
      expect((await again.store.get('k'))?.value).toBe('a')
      await again.close()
      isDone = true
    })
    await simulation.runUntil(() => isDone, { limitMs: 60_000 })
  })

  test('locks, elections and discovery refuse where a guarantee is missing, unless it is accepted; the store serves', async () => {
    const { raw, world } = await open('memory:')
    const weaker = withMembers(raw, { capabilities: { ...raw.capabilities, leaseSurvivesFailover: false } })
    const refusing = new Althing(weaker, world)
    for (const use of ['locks', 'elections', 'discovery'] as const)
      expect(() => refusing[use]).toThrow(expect.objectContaining({ code: 'missing-guarantee' }))
    expect((await refusing.raw.range({ key: 'k' })).count).toBe(0)
    const accepting = new Althing(weaker, world, { accept: ['lease-survives-failover'] })
    expect([accepting.locks, accepting.elections, accepting.discovery]).not.toContain(undefined)
    await raw.close()
  })

  test('opens a store in memory, and closes it as often as asked', async () => {
    const althing = await open('memory:')
    await althing.store.put('k', { a: 1 })
    expect((await althing.store.get('k'))?.value).toEqual({ a: 1 })
    await Promise.all([althing.close(), althing.close()])
    await expect(althing.store.get('k')).rejects.toMatchObject({ code: 'closed' })
  })
})
