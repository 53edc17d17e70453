import path from 'node:path'
import type { Cluster, Contender, LoadTarget, StoreDriver } from '../cluster.ts'
import { freePorts } from '../free-ports.ts'
import { isOnPath } from '../is-on-path.ts'
import { eventually, ServerProcess, temporaryFolder } from '../server-process.ts'
import { EtcdDriver, etcdStatus } from './etcd-driver.ts'

const size = 3
const readyWithinMs = 60_000
const probeKey = 'bench/probe'

/** A real three-member etcd, with its own defaults: heartbeat 100 ms, election 1000 ms, every write synced before it is acknowledged. */
export const etcd: Contender = {
  name: 'etcd',
  unavailable: () =>
    isOnPath('etcd')
      ? undefined
      : 'etcd is not on PATH (Debian package etcd-server; npm test installs it as root)',
  start: () => EtcdCluster.start(),
}

class EtcdCluster implements Cluster {
  readonly size = size
  readonly description: string
  readonly #members: readonly ServerProcess[]
  readonly #addresses: readonly string[]
  readonly #removeData: () => void

  private constructor(
    members: readonly ServerProcess[],
    addresses: readonly string[],
    version: string,
    removeData: () => void,
  ) {
    this.#members = members
    this.#addresses = addresses
    this.#removeData = removeData
    this.description = `etcd ${version}, ${size} members, defaults`
  }

  static async start(): Promise<EtcdCluster> {
    const folder = temporaryFolder('etcd')
    const ports = await freePorts(size * 2)
    const addresses = ports.slice(0, size).map((port) => `127.0.0.1:${port}`)
    const peers = ports.slice(size).map((port) => `http://127.0.0.1:${port}`)
    const members = addresses.map(
      (address, index) => new ServerProcess('etcd', memberArguments(index, address, peers, folder.path)),
    )
    for (const member of members) member.start()
    try {
      const { version } = await eventually('etcd elects a leader', readyWithinMs, () =>
        leaderStatus(addresses[0] as string),
      )
      const cluster = new EtcdCluster(members, addresses, version, folder.remove)
      await Promise.all(addresses.map((_, index) => cluster.#serves(index)))
      return cluster
    } catch (error) {
      await Promise.all(members.map((member) => member.kill()))
      folder.remove()
      throw new Error(`etcd did not start:\n${members.map((member) => member.log).join('\n')}`, {
        cause: error,
      })
    }
  }

  get pids(): readonly number[] {
    return this.#members.flatMap(({ pid }) => pid ?? [])
  }

  async term(): Promise<number> {
    return Number((await leaderStatus(this.#addresses[0] as string)).raftTerm)
  }

  async leader(): Promise<number> {
    return await eventually('etcd has a leader', readyWithinMs, async () => {
      for (const [index, address] of this.#addresses.entries()) {
        if (!this.#members[index]?.isRunning) continue
        const status = await leaderStatus(address)
        if (status.leader === status.header.member_id) return index
      }
      throw new Error('no member says that it leads')
    })
  }

  async target(): Promise<LoadTarget> {
    return { kind: 'etcd', addresses: [this.#addresses[await this.leader()] as string] }
  }

  async drivers(without?: number): Promise<readonly StoreDriver[]> {
    const drivers = this.#addresses
      .filter((_, index) => index !== without)
      .map((address) => new EtcdDriver(address))
    // Connects, so that the measurement does not begin with a handshake.
    await Promise.all(drivers.map((driver) => driver.put(probeKey, Buffer.alloc(1), 5_000)))
    return drivers
  }

  async kill(member: number): Promise<void> {
    await this.#members[member]?.kill()
  }

  async restart(member: number): Promise<void> {
    this.#members[member]?.start()
    await this.#serves(member)
  }

  async stop(): Promise<void> {
    await Promise.all(this.#members.map((member) => member.kill()))
    this.#removeData()
  }

  /** A linearizable read through the member answers only when it is in touch with a leader and has caught up. */
  async #serves(member: number): Promise<void> {
    const driver = new EtcdDriver(this.#addresses[member] as string)
    try {
      await eventually(`etcd member ${member} serves`, readyWithinMs, () =>
        driver.put(probeKey, Buffer.alloc(1), 1_000),
      )
      await eventually(`etcd member ${member} serves`, readyWithinMs, () => driver.get(probeKey, 1_000))
    } finally {
      await driver.close()
    }
  }
}

async function leaderStatus(address: string) {
  const status = await etcdStatus(address, 1_000)
  if (status.leader === '0') throw new Error(`the member at ${address} knows no leader`)
  return status
}

function memberArguments(
  index: number,
  address: string,
  peers: readonly string[],
  folder: string,
): readonly string[] {
  const peer = peers[index] as string
  const flags = {
    name: `m${index}`,
    'data-dir': path.join(folder, `m${index}`),
    'listen-client-urls': `http://${address}`,
    'advertise-client-urls': `http://${address}`,
    'listen-peer-urls': peer,
    'initial-advertise-peer-urls': peer,
    'initial-cluster': peers.map((url, member) => `m${member}=${url}`).join(','),
    'initial-cluster-state': 'new',
    logger: 'zap',
    'log-level': 'error',
  }
  return Object.entries(flags).map(([name, value]) => `--${name}=${value}`)
}
