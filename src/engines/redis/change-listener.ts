import type { Timer, World } from '../../contracts/world.ts'
import type { ClientFactory, RedisClient } from './library.ts'

const retryMsMin = 50
const retryMsMax = 2_000

/**
 * A connection of its own that hears of each change (`SUBSCRIBE`). It only wakes: who is woken reads what there is. A message can be missed, with the connection or before it, so whoever uses it looks by itself from time to time
 * as well.
 */
export class ChangeListener {
  readonly #world: World
  readonly #factory: ClientFactory
  readonly #channel: string
  readonly #changed: () => void
  #client: RedisClient | undefined
  #retry: Timer | undefined
  #failures = 0
  #isWanted = false

  constructor(world: World, factory: ClientFactory, channel: string, changed: () => void) {
    this.#world = world
    this.#factory = factory
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

  /** A change was found of which this connection has said nothing: it may be dead without knowing it, or lead to the wrong server. */
  distrust(): void {
    if (this.#client === undefined) return
    this.#drop()
    this.#again()
  }

  async #connect(): Promise<void> {
    const client = this.#factory()
    this.#client = client
    const isCurrent = (): boolean => this.#client === client
    const broken = (): void => {
      if (!isCurrent()) return
      this.#drop()
      this.#again()
    }
    client.on('error', () => {})
    client.on('end', broken)
    client.on('message', () => {
      if (isCurrent()) this.#changed()
    })
    try {
      await client.connect()
      await client.subscribe(this.#channel)
      if (!isCurrent()) return
      this.#failures = 0
      // What happened before the server listened for us was not told.
      this.#changed()
    } catch {
      broken()
    }
  }

  #drop(): void {
    const client = this.#client
    this.#client = undefined
    client?.disconnect()
  }

  #again(): void {
    const ceiling = Math.min(retryMsMax, retryMsMin * 2 ** Math.min(this.#failures++, 8))
    this.#retry?.cancel()
    this.#retry = this.#world.timers.after(ceiling * (0.5 + this.#world.random.float() / 2), () => {
      if (this.#isWanted) void this.#connect()
    })
  }
}
