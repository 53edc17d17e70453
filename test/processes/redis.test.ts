// A lock in a real Redis, held by a real process whose event loop stands still.
import { type Althing, open } from 'althing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { RedisServer, redisUnavailable } from '../engines/servers/redis-server.ts'
import { Child, fixture, killAllChildren } from './support/child.ts'
import { world } from './support/node-cluster.ts'

describe.skipIf(redisUnavailable() !== undefined)('a lock in Redis', () => {
  let server: RedisServer
  let other: Althing

  beforeAll(async () => {
    server = await RedisServer.start()
    other = await open(server.url, { world })
  })

  afterAll(async () => {
    await other?.close()
    await killAllChildren()
    await server?.stop()
  })

  test('is kept by the thread that renews it while the loop of its holder is blocked, and is free when the holder is dead', async () => {
    const child = Child.script(fixture('right-holder'), ['lock', server.url, 'blocked', '5s', '30s'])
    const { token } = await child.event({ event: 'held' })
    child.say('block 12000')
    await child.event({ event: 'blocking' })
    let refusals = 0
    while (!child.lines.some((line) => line.includes('"unblocked"'))) {
      expect(await other.locks.tryAcquire('blocked')).toBeNull()
      refusals++
      await new Promise((resolve) => world.timers.after(100, () => resolve(undefined)))
    }
    expect(refusals).toBeGreaterThan(3)
    child.say('write kept')
    await child.event({ event: 'written' })
    await child.kill()
    const next = await other.locks.acquire('blocked', { waitTimeout: '30s' })
    expect(next.token).toBeGreaterThan(token as number)
    await next.release()
  })
})
