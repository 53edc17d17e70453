import { AlthingError } from '../../contracts/errors.ts'
import type { Watch, WatchRequest } from '../../contracts/store.ts'
import type { Timer, World } from '../../contracts/world.ts'
import { closedError } from '../local/local-store.ts'
import { problemOfWatch } from '../local/watch-validation.ts'
import { ChangeListener } from './change-listener.ts'
import { ChangesReader, type HistoryPage } from './changes.ts'
import { Attempt, type Connections } from './connections.ts'
import type { HistoryLine } from './history-line.ts'
import type { RangeReader } from './range-reader.ts'
import { failureOf } from './redis-errors.ts'
import { RedisWatch } from './redis-watch.ts'

/** How often it is looked for changes of which no message told. */
const pollMs = 1_000
const resyncMs = 60_000
const watchesMax = 10_000
const untoldMax = 3

export interface WatchFeedParts {
  readonly connections: Connections
  readonly ranges: RangeReader
  readonly line: HistoryLine
}

/**
 * The watches of one client. One reading of the log serves all that are current, with the ranges they want, at each message and at least once a second; one that is behind reads by itself until it is current. Nothing is told
 * that is not in the log, so whoever has read up to a revision has missed none before it; and what the server has lost since is told by a `resync`.
 */
export class WatchFeed {
  readonly #world: World
  readonly #connections: Connections
  readonly #ranges: RangeReader
  readonly #changes: ChangesReader
  readonly #line: HistoryLine
  readonly #listener: ChangeListener
  readonly #watches = new Set<RedisWatch>()
  /** All current watches have been given what there is up to here. */
  #published = 0
  #isRunning = false
  /** There may be something to do that the running round does not see. */
  #isWoken = false
  #wasTold = false
  /** Readings in a row that found what no message had told of. */
  #untold = 0
  #poll: Timer | undefined
  #failures = 0
  #isClosed = false

  constructor({ connections, ranges, line }: WatchFeedParts) {
    this.#world = connections.world
    this.#connections = connections
    this.#ranges = ranges
    this.#line = line
    this.#changes = new ChangesReader(connections)
    const { place, factory } = connections
    this.#listener = new ChangeListener(this.#world, factory, place.channel, () => this.#wake(true))
  }

  add(request: WatchRequest): Watch {
    const watch = new RedisWatch(request, {
      resume: (each) => {
        if (each.state !== 'paused') return
        each.state = 'behind'
        this.#wake()
      },
      stop: (each) => this.#remove(each),
    })
    const problem = this.#isClosed
      ? closedError()
      : (problemOfWatch(request) ?? (this.#watches.size < watchesMax ? undefined : tooMany()))
    if (problem !== undefined) {
      watch.stream.fail(problem)
      return watch.stream
    }
    this.#watches.add(watch)
    if (request.fromRevision !== undefined) {
      this.#created(watch, request.fromRevision - 1, 'behind')
      const believed = this.#line.believedBefore(request.fromRevision - 1)
      if (believed !== undefined) watch.historyLost(believed)
    }
    this.#listener.start()
    this.#wake()
    return watch.stream
  }

  close(error: AlthingError): void {
    this.#isClosed = true
    for (const watch of [...this.#watches]) watch.stream.fail(error)
    this.#listener.stop()
    this.#poll?.cancel()
  }

  #remove(watch: RedisWatch): void {
    this.#watches.delete(watch)
    if (this.#watches.size > 0) return
    this.#listener.stop()
    this.#poll?.cancel()
  }

  #created(watch: RedisWatch, revision: number, state: 'behind' | 'current'): void {
    watch.nextRevision = revision + 1
    watch.state = state
    watch.lastPushMs = this.#world.clock.monotonicMs()
    watch.stream.push({ kind: 'created', revision })
  }

  /** `isTold`: by the server. */
  #wake(isTold = false): void {
    if (isTold) this.#wasTold = true
    this.#isWoken = true
    if (this.#isRunning || this.#isClosed || this.#watches.size === 0) return
    this.#isRunning = true
    this.#poll?.cancel()
    void this.#run()
  }

  async #run(): Promise<void> {
    let pauseMs = 0
    try {
      while (this.#isWoken && !this.#isClosed && this.#watches.size > 0) {
        this.#isWoken = false
        await this.#round()
        this.#failures = 0
      }
      pauseMs = this.#nextPollMs()
    } catch (error) {
      const { error: failure, isPassing } = failureOf(error, false)
      if (!isPassing && failure.code !== 'timeout' && failure.code !== 'internal') this.#failAll(failure)
      this.#world.logger.log('debug', 'the changes of the store could not be read', {
        error: failure.message,
      })
      pauseMs = this.#connections.retryMs(this.#failures++)
    }
    this.#isRunning = false
    if (this.#isClosed || this.#watches.size === 0) return
    this.#poll = this.#world.timers.after(pauseMs, () => this.#wake())
  }

  async #round(): Promise<void> {
    await this.#start()
    for (const watch of [...this.#watches]) if (watch.state === 'behind') await this.#catchUp(watch)
    await this.#readOn()
    this.#reportProgress()
  }

  /** Those that wait to be told where the store is begin with the next revision. */
  async #start(): Promise<void> {
    const starting = [...this.#watches].filter((watch) => watch.state === 'starting')
    if (starting.length === 0) return
    const { newest } = await this.#readPage([], Number.MAX_SAFE_INTEGER, false)
    for (const watch of starting) this.#created(watch, newest, 'current')
    if (this.#published === 0) this.#published = newest
    // What was published before is no concern of theirs; what comes after is read by the next reading from where the others are.
  }

  async #catchUp(watch: RedisWatch): Promise<void> {
    while (watch.state === 'behind' && !watch.stream.isEnded) {
      if (watch.lostFrom !== undefined) {
        await this.#resync(watch, watch.lostFrom)
        continue
      }
      const page = await this.#readPage([watch.request], watch.nextRevision - 1, watch.wantsPrevious)
      if (watch.lostFrom !== undefined) continue
      const gone = watch.isNew ? page.compactRevision : page.purgedRevision
      watch.isNew = false
      if (watch.nextRevision <= gone) {
        await this.#resync(watch, watch.nextRevision, watch.isSlow ? 'slow' : 'compacted')
        continue
      }
      watch.deliver(page.events, page.upTo, this.#world.clock.monotonicMs())
      if (page.upTo < page.newest || watch.state !== 'behind') continue
      watch.state = 'current'
      watch.isSlow = false
      if (this.#published === 0) this.#published = page.newest
    }
  }

  async #resync(watch: RedisWatch, fromRevision: number, reason?: 'slow' | 'compacted'): Promise<void> {
    const { key, end } = watch.request
    const range = end === undefined ? { key } : { key, end }
    const { revision, kvs } = await this.#ranges.whole(range, {}, resyncMs)
    watch.lostFrom = undefined
    watch.isNew = false
    watch.nextRevision = revision + 1
    watch.lastPushMs = this.#world.clock.monotonicMs()
    watch.push({ kind: 'resync', ...(reason === undefined ? {} : { reason }), fromRevision, revision, kvs })
  }

  /** The common reading, up to the newest revision. */
  async #readOn(): Promise<void> {
    for (;;) {
      const current = [...this.#watches].filter((watch) => watch.state === 'current')
      if (current.length === 0) {
        // Nobody is to be served from here: whoever is next comes from its own place.
        this.#published = 0
        return
      }
      const wasTold = this.#wasTold
      this.#wasTold = false
      const previous = current.some((watch) => watch.wantsPrevious)
      const ranges = current.map(({ request }) => request)
      const page = await this.#readPage(ranges, this.#published, previous)
      for (const watch of current) {
        if (watch.nextRevision > page.purgedRevision || watch.state !== 'current') continue
        watch.state = 'behind'
        this.#isWoken = true
      }
      const nowMs = this.#world.clock.monotonicMs()
      for (const watch of current) if (watch.state === 'current') watch.deliver(page.events, page.upTo, nowMs)
      // After a loss it stands where the histories part.
      if (page.lostAfter === undefined) this.#published = page.upTo
      this.#judgeListener(page.events.length > 0, wasTold || this.#wasTold)
      if (page.upTo >= page.newest) return
    }
  }

  /** A reading may be a little earlier than the message; it is not so again and again. */
  #judgeListener(hasFound: boolean, wasTold: boolean): void {
    if (wasTold) this.#untold = 0
    else if (hasFound && ++this.#untold >= untoldMax) {
      this.#untold = 0
      this.#listener.distrust()
    }
  }

  /** What the server has lost is noticed with the page: those who were told of it are set aside. */
  async #readPage(ranges: readonly WatchRequest[], after: number, previous: boolean): Promise<HistoryPage> {
    const { epoch } = this.#line
    const page = await this.#changes.page(new Attempt(), { epoch, after, ranges, previous })
    if (page.epoch !== epoch) this.#movedTo(page)
    this.#line.see(page.newest)
    return page
  }

  #movedTo({ epoch, lostAfter }: HistoryPage): void {
    const hasLost = this.#line.move(epoch, lostAfter)
    if (lostAfter === undefined) return
    if (hasLost)
      this.#world.logger.log('warn', 'the server has lost changes that were acknowledged or told', {
        store: this.#connections.place.name,
        lostAfter,
      })
    for (const watch of this.#watches) watch.historyLost(lostAfter)
    this.#published = Math.min(this.#published, lostAfter)
    this.#isWoken = true
  }

  #reportProgress(): void {
    const nowMs = this.#world.clock.monotonicMs()
    for (const watch of this.#watches) {
      const { progressMs } = watch.request
      if (progressMs === undefined || watch.state !== 'current' || nowMs - watch.lastPushMs < progressMs)
        continue
      watch.lastPushMs = nowMs
      const revision = watch.nextRevision - 1
      watch.push({ kind: 'progress', revision })
    }
  }

  #nextPollMs(): number {
    let ms = pollMs
    const nowMs = this.#world.clock.monotonicMs()
    for (const { request, state, lastPushMs } of this.#watches) {
      if (request.progressMs === undefined || state !== 'current') continue
      ms = Math.min(ms, Math.max(10, lastPushMs + request.progressMs - nowMs))
    }
    return ms
  }

  #failAll(error: AlthingError): void {
    for (const watch of [...this.#watches]) watch.stream.fail(error)
  }
}

function tooMany(): AlthingError {
  return new AlthingError('overloaded', `there are ${watchesMax} watches, the most allowed for a client`, {
    details: { limit: watchesMax },
  })
}
