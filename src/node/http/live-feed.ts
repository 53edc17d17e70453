import { createDeferred, type Deferred } from '../../base/deferred.ts'
import type { Timer, World } from '../../contracts/world.ts'

/** Milliseconds from one snapshot to the next, while somebody listens. */
export const liveIntervalMs = 1_000

/**
 * One snapshot about every second for all who listen, taken once, and not at all while nobody does. A listener that is slow gets the newest:
 * nothing is queued.
 */
export class LiveFeed {
  readonly #world: World
  readonly #take: () => Promise<string>
  #listeners = 0
  #isRunning = false
  #isClosed = false
  #timer: Timer | undefined
  #latest: { readonly text: string; readonly atMs: number } | undefined
  #next: Deferred<void> = createDeferred<void>()

  /** `take` makes a snapshot, as the text that goes out. */
  constructor(world: World, take: () => Promise<string>) {
    this.#world = world
    this.#take = take
  }

  get listeners(): number {
    return this.#listeners
  }

  /** Snapshots as they come, until the signal fires or the loop is left. */
  async *follow(signal: AbortSignal): AsyncGenerator<string> {
    const onAbort = createDeferred<void>()
    const abort = (): void => onAbort.resolve()
    signal.addEventListener('abort', abort, { once: true })
    this.#listeners += 1
    this.#run()
    let seenMs = this.#isFresh() ? -1 : (this.#latest?.atMs ?? -1)
    try {
      while (!signal.aborted) {
        const latest = this.#latest
        if (latest !== undefined && latest.atMs > seenMs) {
          seenMs = latest.atMs
          yield latest.text
        } else await Promise.race([this.#next.promise, onAbort.promise])
      }
    } finally {
      this.#listeners -= 1
      signal.removeEventListener('abort', abort)
    }
  }

  /** Takes no more snapshots. Those who listen are ended by their own signals. */
  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
  }

  /** One that is older than an interval tells a new listener of a time before it came. */
  #isFresh(): boolean {
    return this.#latest !== undefined && this.#world.clock.monotonicMs() - this.#latest.atMs < liveIntervalMs
  }

  #run(): void {
    if (this.#isRunning) return
    this.#isRunning = true
    void this.#takeOne()
  }

  async #takeOne(): Promise<void> {
    const startedMs = this.#world.clock.monotonicMs()
    try {
      const text = await this.#take()
      this.#latest = { text, atMs: this.#world.clock.monotonicMs() }
      const told = this.#next
      this.#next = createDeferred<void>()
      told.resolve()
    } catch (error) {
      this.#world.logger.log('error', 'a snapshot for the console failed', { error: String(error) })
    }
    const spentMs = this.#world.clock.monotonicMs() - startedMs
    if (this.#isClosed) return
    this.#timer = this.#world.timers.after(Math.max(100, liveIntervalMs - spentMs), () => {
      if (this.#listeners > 0) void this.#takeOne()
      else this.#isRunning = false
    })
  }
}
