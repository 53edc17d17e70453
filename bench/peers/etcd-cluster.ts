import { EtcdServers, etcdUnavailable } from '../../test/engines/servers/etcd-servers.ts'
import type { Cluster, Contender, LoadTarget, StoreDriver } from '../cluster.ts'
import { EtcdDriver } from './etcd-driver.ts'

const size = 3
const probeKey = 'bench/probe'

/** A real three-member etcd, with its own defaults: heartbeat 100 ms, election 1000 ms, every write synced before it is acknowledged. */
export const etcd: Contender = {
  name: 'etcd',
  unavailable: etcdUnavailable,
  start: () => EtcdCluster.start(),
}

class EtcdCluster implements Cluster {
  readonly size = size
  readonly description: string
  readonly #servers: EtcdServers

  private constructor(servers: EtcdServers) {
    this.#servers = servers
    this.description = `etcd ${servers.version}, ${size} members, defaults`
  }

  static async start(): Promise<EtcdCluster> {
    return new EtcdCluster(await EtcdServers.start({ members: size }))
  }

  get pids(): readonly number[] {
    return this.#servers.pids
  }

  async term(): Promise<number> {
    return (await this.#servers.status(await this.leader())).term
  }

  leader(): Promise<number> {
    return this.#servers.leader()
  }

  async target(): Promise<LoadTarget> {
    return { kind: 'etcd', addresses: [this.#servers.addresses[await this.leader()] as string] }
  }

  async drivers(without?: number): Promise<readonly StoreDriver[]> {
    const drivers = this.#servers.addresses
      .filter((_, index) => index !== without)
      .map((address) => new EtcdDriver(address))
    // Connects, so that the measurement does not begin with a handshake.
    await Promise.all(drivers.map((driver) => driver.put(probeKey, Buffer.alloc(1), 5_000)))
    return drivers
  }

  kill(member: number): Promise<void> {
    return this.#servers.kill(member)
  }

  restart(member: number): Promise<void> {
    return this.#servers.restart(member)
  }

  stop(): Promise<void> {
    return this.#servers.stop()
  }
}
