import { Redis } from 'ioredis'
import { freePorts } from '../../../src/node/free-ports.ts'
import { isOnPath } from './is-on-path.ts'
import { eventually, ServerProcess, temporaryFolder } from './server-process.ts'

const readyWithinMs = 30_000
const commands = ['redis-server', 'valkey-server']

/** `undefined` where a real Redis, or Valkey, can be started. */
export function redisUnavailable(): string | undefined {
  return commands.some(isOnPath)
    ? undefined
    : 'neither redis-server nor valkey-server is on PATH (package redis-server; npm test installs it as root)'
}

/** Every write is on the disk before it is acknowledged. */
export const syncsAlways = { appendonly: 'yes', appendfsync: 'always' }

/** A real Redis on a free port of 127.0.0.1, with its data in a folder of its own. */
export class RedisServer {
  /** `host:port` */
  readonly address: string
  readonly #process: ServerProcess
  readonly #removeData: () => void

  private constructor(server: ServerProcess, address: string, removeData: () => void) {
    this.#process = server
    this.address = address
    this.#removeData = removeData
  }

  /** `settings` are those of `redis.conf`; it writes no snapshots. Resolves when it serves, as a replica once it has its primary's data. */
  static async start(settings: Readonly<Record<string, string>> = syncsAlways): Promise<RedisServer> {
    const folder = temporaryFolder('redis')
    const [port] = (await freePorts(1)) as [number]
    const all = { bind: '127.0.0.1', dir: folder.path, save: '', daemonize: 'no', ...settings }
    const flags = Object.entries(all).flatMap(([name, value]) => [`--${name}`, ...value.split(' ')])
    const command = commands.find(isOnPath) as string
    const server = new ServerProcess(command, ['--port', String(port), ...flags])
    const started = new RedisServer(server, `127.0.0.1:${port}`, folder.remove)
    await started.restart()
    return started
  }

  /** Whose data are those of `primary`, a little later. */
  static async replicaOf(
    primary: { readonly address: string },
    settings: Readonly<Record<string, string>> = syncsAlways,
  ): Promise<RedisServer> {
    const [host, port] = primary.address.split(':')
    const replica = await RedisServer.start({
      ...settings,
      replicaof: `${host} ${port}`,
      'repl-diskless-sync-delay': '0',
    })
    await eventually('the replica follows', readyWithinMs, async () => {
      const info = String(await replica.command('info', 'replication'))
      if (!info.includes('master_link_status:up')) throw new Error(info)
    })
    return replica
  }

  get url(): string {
    return urlAt(this.address)
  }

  /** One command by a connection of its own. */
  async command(name: string, ...args: readonly string[]): Promise<unknown> {
    const [host, port] = this.address.split(':')
    const client = new Redis({
      host: host as string,
      port: Number(port),
      lazyConnect: true,
      retryStrategy: () => null,
      maxRetriesPerRequest: 0,
      connectTimeout: 5_000,
      commandTimeout: 5_000,
    })
    client.on('error', () => undefined)
    try {
      await client.connect()
      return await client.call(name, ...args)
    } finally {
      client.disconnect()
    }
  }

  /** SIGKILL. */
  kill(): Promise<void> {
    return this.#process.kill()
  }

  /** On the same data and port; resolves when it serves. */
  async restart(): Promise<void> {
    try {
      await eventually('Redis starts', readyWithinMs, async () => {
        if (!this.#process.isRunning) this.#process.start()
        await this.command('ping')
      })
    } catch (error) {
      throw new Error(`Redis did not start:\n${this.#process.log}`, { cause: error })
    }
  }

  /** Resolves when it moves no more. */
  pause(): Promise<void> {
    return this.#process.pause()
  }

  resume(): void {
    this.#process.resume()
  }

  async stop(): Promise<void> {
    await this.kill()
    this.#removeData()
  }
}

export function urlAt(address: string): string {
  return `redis://${address}`
}
