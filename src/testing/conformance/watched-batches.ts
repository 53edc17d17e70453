import { strict as check } from 'node:assert'
import type { ByteString } from '../../base/bytes.ts'
import type { Watch, WatchBatch, WatchEvent } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { eventText } from './plain.ts'

/** How long a case waits for what must come. Only a failing case waits so long. */
export const patienceMs = 20_000

/** What a watch has brought so far, in the order of its coming. */
export class WatchedBatches {
  readonly batches: WatchBatch[] = []
  /** When each came, by the monotonic clock. */
  readonly cameAtMs: number[] = []
  readonly #world: Pick<World, 'clock' | 'timers'>
  readonly #watch: Watch
  readonly #prefix: ByteString
  #state: 'open' | 'ended' | 'failed' = 'open'
  #error: unknown
  #waiting: (() => void)[] = []

  constructor(world: Pick<World, 'clock' | 'timers'>, watch: Watch, prefix: ByteString) {
    this.#world = world
    this.#watch = watch
    this.#prefix = prefix
    void this.#read()
  }

  /** `open` while more may come; `failed` when the iteration has thrown {@link error}. */
  get state(): 'open' | 'ended' | 'failed' {
    return this.#state
  }

  get error(): unknown {
    return this.#error
  }

  get events(): readonly WatchEvent[] {
    return this.batches.flatMap((batch) => (batch.kind === 'events' ? batch.events : []))
  }

  /** Each event in a line. */
  get lines(): readonly string[] {
    return this.events.map((event) => eventText(event, this.#prefix))
  }

  close(): void {
    this.#watch.close()
  }

  created(): Promise<void> {
    return this.until('the watch is set', () => this.batches.some(({ kind }) => kind === 'created'))
  }

  /** Until so many events have come. */
  count(events: number): Promise<void> {
    return this.until(`${events} events have come`, () => this.events.length >= events)
  }

  /** Until everything up to `revision` has been told, by events, progress or a resync. */
  told(revision: number): Promise<void> {
    return this.until(`everything up to revision ${revision} has been told`, () =>
      this.batches.some((batch) => batch.kind !== 'created' && batch.revision >= revision),
    )
  }

  ended(): Promise<void> {
    return this.until('the iteration ends', () => this.#state !== 'open', true)
  }

  async until(what: string, isSo: () => boolean, mayEnd = false): Promise<void> {
    let isLate = false
    const timer = this.#world.timers.after(patienceMs, () => {
      isLate = true
      this.#changed()
    })
    try {
      while (!isSo()) {
        const came = `; so far: ${this.#shown()}`
        if (!mayEnd)
          check.equal(this.#state, 'open', `${what}, but the watch is over (${this.#error})${came}`)
        check.ok(!isLate, `within ${patienceMs} ms: ${what}${came}`)
        await new Promise<void>((resolve) => this.#waiting.push(resolve))
      }
    } finally {
      timer.cancel()
    }
  }

  #shown(): string {
    const kinds = this.batches.map(({ kind, revision }) => `${kind} ${revision}`)
    return kinds.length === 0 ? 'nothing' : kinds.slice(-10).join(', ')
  }

  #changed(): void {
    for (const look of this.#waiting.splice(0)) look()
  }

  async #read(): Promise<void> {
    try {
      for await (const batch of this.#watch) {
        this.batches.push(batch)
        this.cameAtMs.push(this.#world.clock.monotonicMs())
        this.#changed()
      }
      this.#state = 'ended'
    } catch (error) {
      this.#error = error
      this.#state = 'failed'
    }
    this.#changed()
  }
}
