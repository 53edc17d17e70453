import type { Timer, World } from '../../contracts/world.ts'
import type { PostgresClient, PostgresPool } from './library.ts'
import type { Place } from './place.ts'

const retryMsMin = 50
const retryMsMax = 2_000

/**
 * A connection of its own that hears of each change (`LISTEN`). It only wakes: who is woken reads what there is. A notification can be missed, with the connection or before it, so whoever uses it looks by itself
 * from time to time as well.
 */
export class ChangeListener {
  readonly #world: World
  readonly #pool: PostgresPool
  readonly #channel: string
  readonly #changed: () => void
  #client: PostgresClient | undefined
  #retry: Timer | undefined
  #failures = 0
  /** Of the connection that is wanted now; events of an older one mean nothing. */
  #generation = 0
  #isWanted = false

  constructor(world: World, pool: PostgresPool, { channel }: Place, changed: () => void) {
    this.#world = world
    this.#pool = pool
    this.#channel = channel
    this.#changed = changed
  }

  start(): void {
    if (this.#isWanted) return
    this.#isWanted = true
    void this.#connect()
  }

  stop(): void {
    this.#isWanted = false
    this.#drop()
    this.#retry?.cancel()
  }

  /** A change was found of which this connection has said nothing: it may be dead without knowing it. */
  distrust(): void {
    if (this.#client === undefined) return
    this.#drop()
    this.#again()
  }

  async #connect(): Promise<void> {
    const generation = ++this.#generation
    try {
      const client = await this.#pool.connect()
      if (generation !== this.#generation || !this.#isWanted) {
        client.release()
        return
      }
      this.#client = client
      const broken = (): void => this.#broken(generation)
      client.on('error', broken)
      client.on('end', broken)
      client.on('notification', () => {
        if (generation === this.#generation) this.#changed()
      })
      await client.query({ text: `listen "${this.#channel}"` })
      if (generation !== this.#generation) return
      this.#failures = 0
      // What happened before the server listened for us was not told.
      this.#changed()
    } catch {
      this.#broken(generation)
    }
  }

  #broken(generation: number): void {
    if (generation !== this.#generation || !this.#isWanted) return
    this.#drop()
    this.#again()
  }

  #drop(): void {
    this.#generation++
    const client = this.#client
    this.#client = undefined
    // Closed, not given back: it listens.
    client?.release(true)
  }

  #again(): void {
    const ceiling = Math.min(retryMsMax, retryMsMin * 2 ** Math.min(this.#failures++, 8))
    this.#retry?.cancel()
    this.#retry = this.#world.timers.after(
      ceiling * (0.5 + this.#world.random.float() / 2),
      () => void this.#connect(),
    )
  }
}
