import { describe, expect, test } from 'vitest'
import { open } from './althing.ts'

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

  test('opens a store in memory, and closes it as often as asked', async () => {
    const althing = await open('memory:')
    await althing.store.put('k', { a: 1 })
    expect((await althing.store.get('k'))?.value).toEqual({ a: 1 })
    await Promise.all([althing.close(), althing.close()])
    await expect(althing.store.get('k')).rejects.toMatchObject({ code: 'closed' })
  })
})
