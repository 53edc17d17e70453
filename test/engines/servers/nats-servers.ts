import { jetstreamManager } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { freePorts } from '../../../src/node/free-ports.ts'
import { isOnPath } from './is-on-path.ts'
import { eventually, ServerProcess, temporaryFolder } from './server-process.ts'

const readyWithinMs = 60_000
const inMemoryFolder = '/dev/shm'

/** `undefined` where a real NATS server can be started. */
export function natsUnavailable(): string | undefined {
  if (isOnPath('nats-server')) return undefined
  return 'nats-server is not on PATH (Debian package nats-server; npm test installs it as root)'
}

export interface NatsServersOptions {
  readonly members: 1 | 3
  /** Bytes that all streams of a member may take. */
  readonly storeBytesMax?: number
  /** Lines for the configuration of each member: accounts, limits. */
  readonly configuration?: string
  /** Clients must come over TLS, with a certificate of this authority. PEM files. */
  readonly tls?: NatsTls
  /** The servers write to the disk, and not to memory where there is such a folder. */
  readonly onDisk?: boolean
}

export interface NatsTls {
  readonly caFile: string
  readonly certFile: string
  readonly keyFile: string
}

/** Real NATS servers with JetStream on free ports of 127.0.0.1, with their data in a folder of their own. */
export class NatsServers {
  /** `host:port` where each member serves clients. */
  readonly addresses: readonly string[]
  readonly version: string
  readonly #members: readonly ServerProcess[]
  readonly #folders: readonly string[]
  readonly #removeData: () => void

  private constructor(
    members: readonly ServerProcess[],
    addresses: readonly string[],
    version: string,
    folders: readonly string[],
    removeData: () => void,
  ) {
    this.#members = members
    this.addresses = addresses
    this.version = version
    this.#folders = folders
    this.#removeData = removeData
  }

  /** Resolves when JetStream serves on every member. */
  static async start(options: NatsServersOptions): Promise<NatsServers> {
    const size = options.members
    const folder = dataFolder(options.onDisk ?? false)
    const ports = (await freePorts(size * 2)).map((port) => `127.0.0.1:${port}`)
    const addresses = ports.slice(0, size)
    const routes = ports.slice(size)
    const folders = addresses.map((_, index) => path.join(folder.path, `m${index}`))
    const members = addresses.map((address, index) => {
      const file = path.join(folder.path, `m${index}.conf`)
      writeFileSync(file, configurationOf(index, address, routes, folders[index] as string, options))
      return new ServerProcess('nats-server', ['--config', file])
    })
    for (const member of members) member.start()
    try {
      const versions = await Promise.all(addresses.map((address) => serves(address, options.tls)))
      return new NatsServers(members, addresses, versions[0] as string, folders, folder.remove)
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

  /** A client of the test's own, to a member. The caller closes it. */
  client(member = 0): Promise<NatsConnection> {
    return connect({ servers: this.addresses[member] as string, timeout: 2_000 })
  }

  /** The member that leads a stream. */
  async leader(stream: string): Promise<number> {
    return await eventually(`${stream} has a leader`, readyWithinMs, async () => {
      const alive = this.addresses.filter((_, index) => this.#members[index]?.isRunning)
      const connection = await connect({ servers: alive, timeout: 2_000 })
      try {
        const manager = await jetstreamManager(connection, { timeout: 2_000 })
        const { cluster } = await manager.streams.info(stream)
        const index = this.addresses.findIndex((_, member) => nameOf(member) === cluster?.leader)
        if (index < 0 || !this.#members[index]?.isRunning) throw new Error(`led by ${cluster?.leader}`)
        return index
      } finally {
        await connection.close()
      }
    })
  }

  async kill(member = 0): Promise<void> {
    await this.#members[member]?.kill()
  }

  /** On the same data and ports; resolves when JetStream serves there. */
  async restart(member = 0): Promise<void> {
    this.#members[member]?.start()
    await serves(this.addresses[member] as string)
  }

  async pause(member = 0): Promise<void> {
    await this.#members[member]?.pause()
  }

  resume(member = 0): void {
    this.#members[member]?.resume()
  }

  /** Keeps what a member that does not run has on its disk, to be put back later: what was written since is then lost, as with the power. Returns what puts it back. */
  keepData(member = 0): () => void {
    const folder = this.#folders[member] as string
    const copy = `${folder}-copy`
    rmSync(copy, { recursive: true, force: true })
    cpSync(folder, copy, { recursive: true })
    return () => {
      rmSync(folder, { recursive: true, force: true })
      cpSync(copy, folder, { recursive: true })
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#members.map((member) => member.kill()))
    this.#removeData()
  }
}

async function serves(address: string, tls?: NatsTls): Promise<string> {
  return await eventually(`NATS at ${address} serves`, readyWithinMs, async () => {
    const secured = tls === undefined ? {} : { tls }
    const connection = await connect({ servers: address, reconnect: false, timeout: 2_000, ...secured })
    try {
      const manager = await jetstreamManager(connection, { timeout: 2_000 })
      await manager.getAccountInfo()
      return connection.info?.version ?? 'of an unknown version'
    } finally {
      await connection.close()
    }
  })
}

function nameOf(member: number): string {
  return `m${member}`
}

function configurationOf(
  index: number,
  address: string,
  routes: readonly string[],
  folder: string,
  { storeBytesMax, configuration = '', tls }: NatsServersOptions,
): string {
  const clustered = `cluster { name: althing, listen: "${routes[index]}", routes: [${routes.map((route) => `"nats://${route}"`).join(', ')}] }`
  return `
    listen: "${address}"
    server_name: ${nameOf(index)}
    jetstream { store_dir: "${folder}"${storeBytesMax === undefined ? '' : `, max_file_store: ${storeBytesMax}`} }
    ${routes.length > 1 ? clustered : ''}
    ${tls === undefined ? '' : `tls { ca_file: "${tls.caFile}", cert_file: "${tls.certFile}", key_file: "${tls.keyFile}", verify: true }`}
    ${configuration}
  `
}

function dataFolder(onDisk: boolean): { readonly path: string; readonly remove: () => void } {
  if (onDisk || !existsSync(inMemoryFolder)) return temporaryFolder('nats')
  const folder = mkdtempSync(path.join(inMemoryFolder, 'althing-nats-'))
  const remove = (): void => rmSync(folder, { recursive: true, force: true })
  process.once('exit', remove)
  return { path: folder, remove }
}
