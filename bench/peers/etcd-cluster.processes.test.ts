import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { benchFailover } from '../areas/failover.ts'
import type { Cluster } from '../cluster.ts'
import { runClosedLoop } from '../load/closed-loop.ts'
import { parseOptions } from '../options.ts'
import { etcd } from './etcd-cluster.ts'
import { EtcdDriver } from './etcd-driver.ts'

const absent = {
  name: 'nobody',
  unavailable: () => 'not asked for',
  start: () => Promise.reject(new Error('absent')),
}

describe.skipIf(etcd.unavailable() !== undefined)('a real etcd as a peer', () => {
  let cluster: Cluster

  beforeAll(async () => {
    cluster = await etcd.start()
  })

  afterAll(async () => {
    await cluster.stop()
  })

  test('the closed loop counts what was acknowledged, and its latencies', async () => {
    const target = await cluster.target()
    const driver = new EtcdDriver(target.addresses[0] as string)
    const report = await runClosedLoop(driver, {
      kind: 'closed-loop',
      target,
      operation: 'put',
      clients: 8,
      warmupMs: 200,
      measuredMs: 800,
      keysPerClient: 10,
      valueBytes: 256,
    })
    expect(report.failures).toBe(0)
    expect(report.operationsPerSecond).toBeGreaterThan(10)
    expect(report.p50Ms).toBeGreaterThan(0)
    expect(report.p99Ms).toBeGreaterThanOrEqual(report.p50Ms)
    expect(await driver.get('bench/7/0', 5_000)).toBe(256)
    await expect(driver.get('bench/8/0', 5_000)).rejects.toThrow('no key')
    await driver.close()
  })

  test('the leases of a round are revoked after it, all of them', async () => {
    const { addresses } = await cluster.target()
    const driver = new EtcdDriver(addresses[0] as string)
    await Promise.all(Array.from({ length: 300 }, () => driver.grantLease(5_000)))
    expect(await driver.revokeLeases(5_000)).toBe(300)
    expect(await driver.revokeLeases(5_000)).toBe(0)
    await driver.close()
  })

  test('a killed leader costs an election, and is back before the next kill', async () => {
    const options = parseOptions(['failover', '--rounds', '2'])
    const lines: string[] = []
    const result = await benchFailover(absent, { ...etcd, start: async () => cluster }, options, (line) => {
      lines.push(line)
    })
    // No election can be over before the shortest election timeout (1000 ms) since the last heartbeat (100 ms) has passed.
    expect(result.peer).toBeGreaterThan(800)
    expect(result.ours).toBeNull()
    expect(result.ratio).toBeNull()
    expect(result.setup['ours']).toBe('not available: not asked for')
    expect(lines.filter((line) => line.startsWith('peer, kill'))).toHaveLength(2)
  })
})
