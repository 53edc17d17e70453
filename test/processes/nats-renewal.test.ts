// A lock on real NATS servers, held by a process whose event loop stands still.
import { type Althing, open } from 'althing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { NatsServers, natsUnavailable } from '../engines/servers/nats-servers.ts'
import { Child, fixture, killAllChildren } from './support/child.ts'
import { eventually } from './support/eventually.ts'
import { world } from './support/node-cluster.ts'

describe.skipIf(natsUnavailable() !== undefined)('the holder of a lock on NATS', () => {
  let servers: NatsServers
  let url: string
  let other: Althing

  beforeAll(async () => {
    servers = await NatsServers.start({ members: 3 })
    url = `nats://${servers.addresses.join(',')}/locks?replicas=3&sync=always`
    other = await open(url, { world })
  })

  afterAll(async () => {
    await other?.close()
    await killAllChildren()
    await servers?.stop()
  })

  test('keeps it while its event loop is blocked for 20 s, and the leader dies meanwhile', async () => {
    const child = Child.script(fixture('right-holder'), ['lock', url, 'blocked', '15s', '30s'])
    const { token } = await child.event({ event: 'held' })
    child.say('block 20000')
    await child.event({ event: 'blocking' })
    await servers.kill(await servers.leader('ALTHING_locks'))
    let refusals = 0
    const unblocked = await eventually('the loop runs again', async () => {
      expect(await other.locks.tryAcquire('blocked')).toBeNull()
      refusals += 1
      return child.lines.find((line) => line.includes('"unblocked"'))
    })
    // A refusal waits for the next leader, which takes NATS some seconds.
    expect(refusals).toBeGreaterThan(0)
    expect(JSON.parse(unblocked)).toMatchObject({ isHeld: true, lost: false })
    child.say('write kept')
    await child.event({ event: 'written' })
    expect(token).toBeGreaterThan(0)
  })

  test('loses it to the next when it dies', async () => {
    const child = Child.script(fixture('right-holder'), ['lock', url, 'dead', '2s', '30s'])
    const { token } = await child.event({ event: 'held' })
    process.kill(child.pid, 'SIGKILL')
    const next = await other.locks.acquire('dead', { waitTimeout: '30s' })
    expect(next.token).toBeGreaterThan(token as number)
    await next.release()
  })
})
