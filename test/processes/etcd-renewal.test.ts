// A lock on a real etcd, held by a process whose event loop stands still.
import { type Althing, open } from 'althing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EtcdServers, etcdUnavailable, quickElections } from '../engines/servers/etcd-servers.ts'
import { Child, fixture, killAllChildren } from './support/child.ts'
import { eventually } from './support/eventually.ts'
import { world } from './support/node-cluster.ts'

// Of several members before 3.4.31 and 3.5.13 a leader that stood still may end leases: here it is killed, and ends none.
const accept = ['lease-survives-failover'] as const

describe.skipIf(etcdUnavailable() !== undefined)('the holder of a lock on etcd', () => {
  let servers: EtcdServers
  let url: string
  let other: Althing

  beforeAll(async () => {
    servers = await EtcdServers.start({ members: 3, flags: quickElections })
    url = `etcd://${servers.addresses.join(',')}`
    other = await open(url, { world, accept })
  })

  afterAll(async () => {
    await other?.close()
    await killAllChildren()
    await servers?.stop()
  })

  test('keeps it while its event loop is blocked for 8 s, and the leader dies meanwhile', async () => {
    const child = Child.script(fixture('right-holder'), ['lock', url, 'blocked', '3s', '30s', ...accept])
    const { token } = await child.event({ event: 'held' })
    child.say('block 8000')
    await child.event({ event: 'blocking' })
    await servers.kill(await servers.leader())
    let refusals = 0
    const unblocked = await eventually('the loop runs again', async () => {
      expect(await other.locks.tryAcquire('blocked')).toBeNull()
      refusals += 1
      return child.lines.find((line) => line.includes('"unblocked"'))
    })
    expect(refusals).toBeGreaterThan(3)
    expect(JSON.parse(unblocked)).toMatchObject({ isHeld: true, lost: false })
    child.say('write kept')
    await child.event({ event: 'written' })
    expect(token).toBeGreaterThan(0)
  })

  test('loses it to the next when it dies', async () => {
    const child = Child.script(fixture('right-holder'), ['lock', url, 'dead', '2s', '30s', ...accept])
    const { token } = await child.event({ event: 'held' })
    process.kill(child.pid, 'SIGKILL')
    const next = await other.locks.acquire('dead', { waitTimeout: '30s' })
    expect(next.token).toBeGreaterThan(token as number)
    await next.release()
  })
})
