import { jetstreamManager, StorageType } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import path from 'node:path'
import type { Cluster, Contender, LoadTarget, PutDriver } from '../cluster.ts'
import { freePorts } from '../../src/node/free-ports.ts'
import { isOnPath } from '../../test/engines/servers/is-on-path.ts'
import { eventually, ServerProcess, temporaryFolder } from '../../test/engines/servers/server-process.ts'
import { openNats, subjects } from './nats-driver.ts'

const size = 3
const readyWithinMs = 60_000
const streamName = 'bench'
const probeKey = 'bench/probe'

/** Three NATS servers with one JetStream stream on all of them, in files, with NATS's defaults: a write is acknowledged **without** a sync. */
export const nats: Contender = {
  name: 'nats',
  unavailable: () =>
    isOnPath('nats-server') ? undefined : 'nats-server is not on PATH (Debian package nats-server)',
  start: () => NatsCluster.start(),
}

class NatsCluster implements Cluster {
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
    this.description = `NATS JetStream ${version}, ${size} replicas, files, defaults (no sync before the acknowledgement)`
  }

  static async start(): Promise<NatsCluster> {
    const folder = temporaryFolder('nats')
    const ports = await freePorts(size * 2)
    const addresses = ports.slice(0, size).map((port) => `127.0.0.1:${port}`)
    const routes = ports.slice(size).map((port) => `nats://127.0.0.1:${port}`)
    const members = addresses.map((address, index) => {
      return new ServerProcess('nats-server', memberArguments(index, address, routes, folder.path))
    })
    for (const member of members) member.start()
    try {
      const version = await eventually('NATS makes its stream', readyWithinMs, () =>
        createStream(addresses[0] as string),
      )
      const cluster = new NatsCluster(members, addresses, version, folder.remove)
      await Promise.all(addresses.map((_, index) => cluster.#serves(index)))
      return cluster
    } catch (error) {
      await Promise.all(members.map((member) => member.kill()))
      folder.remove()
      throw new Error(`NATS did not start:\n${members.map((member) => member.log).join('\n')}`, {
        cause: error,
      })
    }
  }

  get pids(): readonly number[] {
    return this.#members.flatMap(({ pid }) => pid ?? [])
  }

  /** The one that leads the stream. */
  async leader(): Promise<number> {
    return await eventually('the stream has a leader', readyWithinMs, async () => {
      const name = await streamLeader(this.#addresses.filter((_, index) => this.#members[index]?.isRunning))
      const index = this.#addresses.findIndex((_, member) => nameOf(member) === name)
      if (index < 0 || !this.#members[index]?.isRunning) throw new Error(`the stream is led by ${name}`)
      return index
    })
  }

  async target(): Promise<LoadTarget> {
    return { kind: 'nats', addresses: [this.#addresses[await this.leader()] as string] }
  }

  async drivers(without?: number): Promise<readonly PutDriver[]> {
    return await Promise.all(this.#addresses.filter((_, index) => index !== without).map(openNats))
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

  async #serves(member: number): Promise<void> {
    await eventually(`NATS server ${member} serves`, readyWithinMs, async () => {
      const driver = await openNats(this.#addresses[member] as string)
      try {
        await driver.put(probeKey, Buffer.alloc(1), 1_000)
      } finally {
        await driver.close()
      }
    })
  }
}

async function createStream(address: string): Promise<string> {
  const connection = await connect({ servers: address, reconnect: false })
  try {
    const manager = await jetstreamManager(connection, { timeout: 2_000 })
    await manager.streams.add({
      name: streamName,
      subjects: [subjects],
      num_replicas: size,
      storage: StorageType.File,
    })
    return connection.info?.version ?? 'of an unknown version'
  } finally {
    await connection.close()
  }
}

async function streamLeader(addresses: readonly string[]): Promise<string | undefined> {
  const connection = await connect({ servers: [...addresses], reconnect: false })
  try {
    const manager = await jetstreamManager(connection, { timeout: 2_000 })
    const { cluster } = await manager.streams.info(streamName)
    return cluster?.leader
  } finally {
    await connection.close()
  }
}

function nameOf(member: number): string {
  return `m${member}`
}

function memberArguments(
  index: number,
  address: string,
  routes: readonly string[],
  folder: string,
): readonly string[] {
  const [host = '', port = ''] = address.split(':')
  return [
    ...['--addr', host, '--port', port, '--name', nameOf(index)],
    ...['--jetstream', '--store_dir', path.join(folder, nameOf(index))],
    ...['--cluster_name', 'bench', '--cluster', routes[index] as string, '--routes', routes.join(',')],
  ]
}
