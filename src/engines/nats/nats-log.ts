import { AlthingError } from '../../contracts/errors.ts'
import type { World } from '../../contracts/world.ts'
import { protocolBytes } from './nats-capabilities.ts'
import { natsError } from './nats-errors.ts'
import { NatsFollower } from './nats-follower.ts'
import type { JetStreamClient, JetStreamManager, NatsConnection } from './nats-library.ts'
import { NatsSnapshots } from './nats-snapshots.ts'
import type { StoreStreams } from './nats-streams.ts'
import type { LogHandler, LogState, SharedLog, SnapshotManifest } from './shared-log.ts'

const attemptMs = 2_000
/** Where the server does not say. */
const payloadBytesDefault = 1024 * 1024

export interface NatsLogOptions {
  readonly world: World
  readonly connection: NatsConnection
  readonly client: JetStreamClient
  readonly manager: JetStreamManager
  readonly streams: StoreStreams
  /** The connection was made by this engine: it is ended with the log, and made anew when nothing is heard over it. */
  readonly ownsConnection: boolean
}

/** {@link SharedLog} as one stream of JetStream, with a second one for the snapshots. */
export class NatsLog implements SharedLog {
  readonly #options: NatsLogOptions
  readonly #snapshots: NatsSnapshots
  readonly #followers = new Set<NatsFollower>()
  /** What is under way ends when the connection does. */
  readonly #attempts = new Set<(error: AlthingError) => void>()
  readonly #inbox: string
  #inboxes = 0
  #isConnected = true
  #isClosed = false
  #onConnected: () => void = () => undefined

  constructor(options: NatsLogOptions) {
    this.#options = options
    this.#snapshots = new NatsSnapshots(options)
    this.#inbox = `_INBOX.althing${Buffer.from(options.world.random.bytes(12)).toString('hex')}`
    void this.#watchConnection()
  }

  get messageBytesMax(): number {
    return (this.#options.connection.info?.max_payload ?? payloadBytesDefault) - protocolBytes
  }

  get isConnected(): boolean {
    return this.#isConnected
  }

  onConnected(handler: () => void): void {
    this.#onConnected = handler
  }

  state(): Promise<LogState> {
    const { manager, streams } = this.#options
    return this.#attempt(async () => {
      const { created, state } = await manager.streams.info(streams.log)
      const { first_seq: first, last_seq: last } = state
      // An empty stream says 0 before its first message, and one more than the last after a purge.
      return { identity: created, first: Math.max(1, first), last }
    })
  }

  append(data: Uint8Array): Promise<number> {
    const { client, streams } = this.#options
    return this.#attempt(async () => {
      const { seq } = await client.publish(streams.logSubject, data, { timeout: attemptMs, retries: 1 })
      return seq
    })
  }

  follow(from: number, handler: LogHandler): () => void {
    const { world, connection, manager, streams } = this.#options
    const follower = new NatsFollower({
      world,
      connection,
      manager,
      stream: streams.log,
      from,
      inbox: `${this.#inbox}.${++this.#inboxes}`,
      handler: {
        following: () => handler.following(),
        message: (message) => handler.message(message),
        ended: (error) => {
          this.#followers.delete(follower)
          handler.ended(error)
        },
      },
      silent: () => this.#makeAnew(),
    })
    this.#followers.add(follower)
    if (this.#isConnected) follower.start()
    else world.timers.immediate(() => follower.end(disconnected('none')))
    return () => {
      follower.stop()
      this.#followers.delete(follower)
    }
  }

  purge(sequence: number): Promise<void> {
    const { manager, streams } = this.#options
    return this.#attempt(async () => {
      // The server keeps the message whose sequence it is told.
      await manager.streams.purge(streams.log, { seq: sequence + 1 })
    })
  }

  snapshots(): Promise<readonly SnapshotManifest[]> {
    return this.#attempt(() => this.#snapshots.list())
  }

  readSnapshot(manifest: SnapshotManifest): AsyncIterable<Uint8Array> {
    return this.#snapshots.read(manifest)
  }

  saveSnapshot(
    manifest: Omit<SnapshotManifest, 'chunks' | 'bytes'>,
    chunks: Iterable<Uint8Array>,
  ): Promise<boolean> {
    return this.#attempt(() => this.#snapshots.save(manifest, chunks))
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#lose()
    const { connection, ownsConnection } = this.#options
    if (ownsConnection && !connection.isClosed()) await connection.close().catch(() => undefined)
  }

  #attempt<T>(call: () => Promise<T>): Promise<T> {
    if (!this.#isConnected) return Promise.reject(disconnected('none'))
    return new Promise<T>((resolve, reject) => {
      const lost = (error: AlthingError): void => reject(error)
      this.#attempts.add(lost)
      call().then(
        (value) => {
          this.#attempts.delete(lost)
          resolve(value)
        },
        (error: unknown) => {
          this.#attempts.delete(lost)
          reject(natsError(error))
        },
      )
    })
  }

  async #watchConnection(): Promise<void> {
    const { connection } = this.#options
    for await (const { type } of connection.status()) {
      if (this.#isClosed) return
      if (type === 'disconnect' || type === 'close') this.#lose()
      else if (type === 'reconnect') {
        this.#isConnected = true
        this.#onConnected()
      }
    }
    this.#lose()
  }

  #lose(): void {
    this.#isConnected = false
    for (const lost of [...this.#attempts]) lost(disconnected('unknown'))
    this.#attempts.clear()
    for (const follower of [...this.#followers]) {
      if (this.#isClosed) follower.stop()
      else follower.end(disconnected('unknown'))
    }
  }

  #makeAnew(): void {
    const { connection, ownsConnection } = this.#options
    if (ownsConnection && this.#isConnected && !this.#isClosed) connection.reconnect().catch(() => undefined)
  }
}

function disconnected(outcome: 'none' | 'unknown'): AlthingError {
  return new AlthingError('unavailable', 'the connection to NATS is lost', { outcome })
}
