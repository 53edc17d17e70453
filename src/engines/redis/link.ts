import type { Timer, World } from '../../contracts/world.ts'
import type { RedisArgument, RedisClient } from './library.ts'
import { isOfWrongServer, replyCodeOf } from './redis-errors.ts'
import type { Script } from './script.ts'

/**
 * One connection (of a cluster: to each node that is needed), used until it breaks. Commands go out behind each other, and are answered in their order. One whose other end is silent for too long, while an answer is due, is
 * given up: nothing else tells a dead connection from a slow one.
 */
export class Link {
  readonly #world: World
  readonly #client: RedisClient
  readonly #silentMsMax: number
  readonly #waiting = new Set<(error: Error) => void>()
  #heardMs = 0
  #bytesRead = 0
  #watchdog: Timer | undefined
  #problem: Error | undefined
  #isOver = false

  constructor(world: World, client: RedisClient, silentMsMax: number) {
    this.#world = world
    this.#client = client
    this.#silentMsMax = silentMsMax
    client.on('error', (error) => {
      this.#problem = error as Error
    })
    client.on('end', () => this.abandon(this.#problem ?? new Error('the connection was closed')))
  }

  /** Nothing can be sent by it any more. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** Resolves when commands can be sent. */
  async connect(): Promise<void> {
    await this.#bounded(async () => {
      try {
        await this.#client.connect()
      } catch (error) {
        // What the connection died of says more than that it did.
        throw this.#problem ?? error
      }
      // So the library tells of a database that there is not: it would go on in another one.
      if (this.#problem !== undefined) throw this.#problem
    })
  }

  /** Rejects with whatever the library rejects with. */
  async run(
    script: Script,
    keys: readonly RedisArgument[],
    args: readonly RedisArgument[],
  ): Promise<unknown> {
    const rest = [String(keys.length), ...keys, ...args]
    try {
      return await this.command('evalsha', [script.digest, ...rest])
    } catch (error) {
      if (replyCodeOf(error) !== 'NOSCRIPT') throw error
      return await this.command('eval', [script.text, ...rest])
    }
  }

  async command(name: string, args: readonly RedisArgument[]): Promise<unknown> {
    try {
      return await this.#bounded(() => this.#client.callBuffer(name, args))
    } catch (error) {
      if (isOfWrongServer(error)) this.abandon(error as Error)
      throw error
    }
  }

  /** Closes it. What is under way fails. */
  abandon(error: Error): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#watchdog?.cancel()
    for (const reject of [...this.#waiting]) reject(error)
    this.#waiting.clear()
    this.#client.disconnect()
  }

  #bounded<T>(start: () => Promise<T>): Promise<T> {
    if (this.#isOver) return Promise.reject(this.#problem ?? new Error('the connection was closed'))
    if (this.#waiting.size === 0) this.#heard()
    return new Promise<T>((resolve, reject) => {
      const fail = (error: Error): void => {
        this.#waiting.delete(fail)
        reject(error)
      }
      this.#waiting.add(fail)
      this.#watch()
      start().then(
        (value) => {
          this.#waiting.delete(fail)
          this.#heard()
          resolve(value)
        },
        (error: unknown) => {
          this.#heard()
          fail(error as Error)
        },
      )
    })
  }

  #heard(): void {
    this.#heardMs = this.#world.clock.monotonicMs()
  }

  #watch(): void {
    if (this.#watchdog !== undefined) return
    this.#watchdog = this.#world.timers.after(this.#silentMsMax / 4, () => {
      this.#watchdog = undefined
      if (this.#waiting.size === 0) return
      const bytesRead = this.#client.stream?.bytesRead ?? 0
      if (bytesRead !== this.#bytesRead) this.#heard()
      this.#bytesRead = bytesRead
      const silentMs = this.#world.clock.monotonicMs() - this.#heardMs
      if (silentMs < this.#silentMsMax) this.#watch()
      else this.abandon(new Error(`no answer within ${Math.round(silentMs)} ms`))
    })
  }
}
