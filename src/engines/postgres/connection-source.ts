import type { Timer, World } from '../../contracts/world.ts'
import type { PostgresClient, PostgresPool } from './library.ts'

/** For which a connection is kept after its last statement. */
const keptMs = 25

/** Where a statement gets its connection from. */
export interface ConnectionSource {
  /** Somebody listens for its errors until it is given back: without that, one that breaks just before or after its statement would end the process. */
  take(): Promise<PostgresClient>
  /** With an error it is closed. */
  give(client: PostgresClient, error?: Error): void
}

/** From the pool, and back to it after each statement. */
export class PooledConnections implements ConnectionSource {
  readonly #pool: PostgresPool

  constructor(pool: PostgresPool) {
    this.#pool = pool
  }

  async take(): Promise<PostgresClient> {
    const client = await this.#pool.connect()
    client.on('error', ignore)
    return client
  }

  give(client: PostgresClient, error?: Error): void {
    if (error === undefined) client.removeListener('error', ignore)
    client.release(error)
  }
}

interface Kept {
  readonly client: PostgresClient
  readonly broken: (error: unknown) => void
  idleSinceMs: number
}

/**
 * Keeps connections of the pool between statements that follow each other closely: to give one back and to take it out again costs as much as to read a key. Nothing is kept while anybody waits for a
 * connection of the pool.
 */
export class KeptConnections implements ConnectionSource {
  readonly #world: World
  readonly #pool: PostgresPool
  readonly #taken = new Map<PostgresClient, Kept>()
  /** The last one given is the first one taken: so the others grow old, and go back. */
  #idle: Kept[] = []
  #sweep: Timer | undefined
  #isClosed = false

  constructor(world: World, pool: PostgresPool) {
    this.#world = world
    this.#pool = pool
  }

  async take(): Promise<PostgresClient> {
    const idle = this.#idle.pop()
    if (idle !== undefined) {
      this.#taken.set(idle.client, idle)
      return idle.client
    }
    const client = await this.#pool.connect()
    const kept: Kept = { client, idleSinceMs: 0, broken: () => this.#brokenWhileIdle(kept) }
    client.on('error', kept.broken)
    this.#taken.set(client, kept)
    return client
  }

  give(client: PostgresClient, error?: Error): void {
    const kept = this.#taken.get(client) as Kept
    this.#taken.delete(client)
    if (error !== undefined) {
      client.release(error)
      return
    }
    const mayKeep = !this.#isClosed && this.#pool.waitingCount === 0
    if (!mayKeep) {
      this.#giveBack(kept)
      return
    }
    kept.idleSinceMs = this.#world.clock.monotonicMs()
    this.#idle.push(kept)
    this.#sweep ??= this.#world.timers.after(keptMs, () => this.#giveBackOld())
  }

  /** Gives back what is kept, and what is taken as soon as it is given. */
  close(): void {
    this.#isClosed = true
    this.#sweep?.cancel()
    for (const kept of this.#idle.splice(0)) this.#giveBack(kept)
  }

  #giveBackOld(): void {
    const since = this.#world.clock.monotonicMs() - keptMs
    // Somebody may have begun to wait since.
    const isWanted = this.#pool.waitingCount !== 0
    const [old, young]: [Kept[], Kept[]] = [[], []]
    for (const kept of this.#idle) (isWanted || kept.idleSinceMs <= since ? old : young).push(kept)
    this.#idle = young
    for (const kept of old) this.#giveBack(kept)
    const isInUse = young.length > 0 || this.#taken.size > 0
    this.#sweep = isInUse ? this.#world.timers.after(keptMs, () => this.#giveBackOld()) : undefined
  }

  #giveBack({ client, broken }: Kept): void {
    client.removeListener('error', broken)
    client.release()
  }

  /** While it is taken its statement fails, and it is given back with that error. */
  #brokenWhileIdle(kept: Kept): void {
    const at = this.#idle.indexOf(kept)
    if (at < 0) return
    this.#idle.splice(at, 1)
    kept.client.release(true)
  }
}

/**
 * A connection that breaks is no failure of anything while it is idle; the statement that it serves fails by itself. Without listeners it would end the
 * process: also when it breaks in the packet that says that it is ready, before whoever asked for it has been given it. Returns the way to stop.
 */
export function outliveBrokenConnections(pool: PostgresPool, onBroken: (error: Error) => void): () => void {
  const onConnect = (client: PostgresClient): void => void client.on('error', ignore)
  pool.on('error', onBroken)
  pool.on('connect', onConnect)
  return () => {
    pool.removeListener('error', onBroken)
    pool.removeListener('connect', onConnect)
  }
}

function ignore(): void {}
