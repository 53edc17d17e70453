import { jetstreamManager, StorageType } from '@nats-io/jetstream'
import type { Cluster, Contender, LoadTarget, PutDriver } from '../cluster.ts'
import { NatsServers, natsUnavailable } from '../../test/engines/servers/nats-servers.ts'
import { eventually } from '../../test/engines/servers/server-process.ts'
import { openNats, subjects } from './nats-driver.ts'

const size = 3
const readyWithinMs = 60_000
const streamName = 'bench'
const probeKey = 'bench/probe'

/** Three NATS servers with one JetStream stream on all of them, in files, with NATS's defaults: a write is acknowledged **without** a sync. */
export const nats: Contender = {
  name: 'nats',
  unavailable: natsUnavailable,
  start: () => NatsCluster.start(),
}

class NatsCluster implements Cluster {
  readonly size = size
  readonly description: string
  readonly #servers: NatsServers

  private constructor(servers: NatsServers) {
    this.#servers = servers
    this.description = `NATS JetStream ${servers.version}, ${size} replicas, files, defaults (no sync before the acknowledgement)`
  }

  static async start(): Promise<NatsCluster> {
    const servers = await NatsServers.start({ members: size, onDisk: true })
    try {
      await eventually('NATS makes its stream', readyWithinMs, () => createStream(servers))
      const cluster = new NatsCluster(servers)
      await Promise.all(servers.addresses.map((_, index) => cluster.#serves(index)))
      return cluster
    } catch (error) {
      await servers.stop()
      throw error
    }
  }

  get pids(): readonly number[] {
    return this.#servers.pids
  }

  /** The one that leads the stream. */
  leader(): Promise<number> {
    return this.#servers.leader(streamName)
  }

  async target(): Promise<LoadTarget> {
    return { kind: 'nats', addresses: [this.#servers.addresses[await this.leader()] as string] }
  }

  async drivers(without?: number): Promise<readonly PutDriver[]> {
    return await Promise.all(this.#servers.addresses.filter((_, index) => index !== without).map(openNats))
  }

  kill(member: number): Promise<void> {
    return this.#servers.kill(member)
  }

  async restart(member: number): Promise<void> {
    await this.#servers.restart(member)
    await this.#serves(member)
  }

  stop(): Promise<void> {
    return this.#servers.stop()
  }

  async #serves(member: number): Promise<void> {
    await eventually(`NATS server ${member} serves`, readyWithinMs, async () => {
      const driver = await openNats(this.#servers.addresses[member] as string)
      try {
        await driver.put(probeKey, Buffer.alloc(1), 1_000)
      } finally {
        await driver.close()
      }
    })
  }
}

async function createStream(servers: NatsServers): Promise<void> {
  const connection = await servers.client()
  try {
    const manager = await jetstreamManager(connection, { timeout: 2_000 })
    await manager.streams.add({
      name: streamName,
      subjects: [subjects],
      num_replicas: size,
      storage: StorageType.File,
    })
  } finally {
    await connection.close()
  }
}
