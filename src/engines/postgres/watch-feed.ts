import { AlthingError } from '../../contracts/errors.ts'
import type { Watch, WatchRequest } from '../../contracts/store.ts'
import type { Timer, World } from '../../contracts/world.ts'
import { closedError } from '../local/local-store.ts'
import { problemOfWatch } from '../local/watch-validation.ts'
import { ChangeListener } from './change-listener.ts'
import type { Connections, Statement } from './connections.ts'
import {
  type HistoryPage,
  historyPageOf,
  historyStatement,
  type Span,
  wholeRevisionOf,
} from './history-query.ts'
import { boundsProblem } from './key-bounds.ts'
import type { Row } from './library.ts'
import type { Place } from './place.ts'
import { failureOf } from './postgres-errors.ts'
import { PostgresWatch } from './postgres-watch.ts'
import { keyValueOf, rangeStatement } from './range-query.ts'

/** How often it is looked for changes of which no notification told. */
const pollMs = 1_000
const attemptMs = 2_500
const watchesMax = 10_000
/** Ranges that are named to the server; of more, it is told the one that holds them all. */
const spansMax = 64
const untoldMax = 3

/**
 * The watches of one client. One reading of the history serves all that are current, with the ranges they want, at each notification and at least once a second; one that is behind reads by itself until it is current.
 * Revisions become visible in their order, so whoever has read up to one has missed none before it.
 */
export class WatchFeed {
  readonly #world: World
  readonly #connections: Connections
  readonly #place: Place
  readonly #listener: ChangeListener
  readonly #watches = new Set<PostgresWatch>()
  /** All current watches have been given what there is up to here. */
  #published = 0
  #isRunning = false
  /** There may be something to do that the running round does not see. */
  #isWoken = false
  #wasTold = false
  /** Readings in a row that found what no notification had told of. */
  #untold = 0
  #poll: Timer | undefined
  #failures = 0
  #isClosed = false

  constructor(connections: Connections, place: Place) {
    this.#world = connections.world
    this.#connections = connections
    this.#place = place
    this.#listener = new ChangeListener(this.#world, connections.pool, place, () => this.#wake(true))
  }

  add(request: WatchRequest): Watch {
    const watch = new PostgresWatch(request, {
      resume: (each) => {
        if (each.state !== 'paused') return
        each.state = 'behind'
        this.#wake()
      },
      stop: (each) => this.#remove(each),
    })
    const problem = this.#isClosed ? closedError() : this.#problemOf(request)
    if (problem !== undefined) {
      watch.stream.fail(problem)
      return watch.stream
    }
    this.#watches.add(watch)
    if (request.fromRevision !== undefined) this.#created(watch, request.fromRevision - 1, 'behind')
    this.#listener.start()
    this.#wake()
    return watch.stream
  }

  #problemOf(request: WatchRequest): AlthingError | undefined {
    return (
      problemOfWatch(request) ??
      boundsProblem(request) ??
      (this.#watches.size < watchesMax ? undefined : tooMany())
    )
  }

  close(error: AlthingError): void {
    this.#isClosed = true
    for (const watch of [...this.#watches]) watch.stream.fail(error)
    this.#listener.stop()
    this.#poll?.cancel()
  }

  #remove(watch: PostgresWatch): void {
    this.#watches.delete(watch)
    if (this.#watches.size > 0) return
    this.#listener.stop()
    this.#poll?.cancel()
  }

  #created(watch: PostgresWatch, revision: number, state: 'behind' | 'current'): void {
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
    const { schema } = this.#place
    const text = `select revision, pg_is_in_recovery() as standby from ${schema}.meta`
    const revision = Number((await this.#query({ text }))[0]?.revision)
    for (const watch of starting) this.#created(watch, revision, 'current')
    if (this.#published === 0) this.#published = revision
    // What was published before is no concern of theirs; what comes after is read by the next reading from where the others are.
  }

  async #catchUp(watch: PostgresWatch): Promise<void> {
    while (watch.state === 'behind' && !watch.stream.isEnded) {
      const page = await this.#readPage([watch.span], watch.nextRevision - 1, watch.wantsPrevious)
      const gone = watch.isNew ? page.compactRevision : page.purgedRevision
      watch.isNew = false
      if (watch.nextRevision <= gone) {
        await this.#resync(watch)
        continue
      }
      watch.deliver(page.events, page.upTo, this.#world.clock.monotonicMs())
      if (page.upTo < page.newest || watch.state !== 'behind') continue
      watch.state = 'current'
      watch.isSlow = false
      if (this.#published === 0) this.#published = page.newest
    }
  }

  async #resync(watch: PostgresWatch): Promise<void> {
    const { from, end } = watch.span
    const statement = rangeStatement(this.#place, { key: from, end }, Number.MAX_SAFE_INTEGER)
    const rows = await this.#query(statement)
    const revision = Number(rows[0]?.newest)
    const kvs = rows.flatMap((row) => (Buffer.isBuffer(row.key) ? [keyValueOf(row)] : []))
    const fromRevision = watch.nextRevision
    const reason = watch.isSlow ? 'slow' : 'compacted'
    watch.nextRevision = revision + 1
    watch.lastPushMs = this.#world.clock.monotonicMs()
    watch.push({ kind: 'resync', reason, fromRevision, revision, kvs })
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
      const page = await this.#readPage(spansOf(current), this.#published, previous)
      for (const watch of current) {
        if (watch.nextRevision > page.purgedRevision) continue
        watch.state = 'behind'
        this.#isWoken = true
      }
      const nowMs = this.#world.clock.monotonicMs()
      for (const watch of current) if (watch.state === 'current') watch.deliver(page.events, page.upTo, nowMs)
      this.#published = Math.max(this.#published, page.upTo)
      this.#judgeListener(page.events.length > 0, wasTold || this.#wasTold)
      if (page.upTo >= page.newest) return
    }
  }

  /** A reading may be a little earlier than the notification; it is not so again and again. */
  #judgeListener(hasFound: boolean, wasTold: boolean): void {
    if (wasTold) this.#untold = 0
    else if (hasFound && ++this.#untold >= untoldMax) {
      this.#untold = 0
      this.#listener.distrust()
    }
  }

  async #readPage(spans: readonly Span[], after: number, previous: boolean): Promise<HistoryPage> {
    const found = historyPageOf(await this.#query(historyStatement(this.#place, spans, { after, previous })))
    if ('page' in found) return found.page
    const only = found.cutRevision
    return wholeRevisionOf(
      await this.#query(historyStatement(this.#place, spans, { after, only, previous })),
      only,
    )
  }

  async #query(statement: Statement): Promise<readonly Row[]> {
    const tried = await this.#connections.try(statement, attemptMs)
    if ('failure' in tried) throw tried.failure.error
    return tried.rows
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

/** The ranges of all, each once. */
function spansOf(watches: readonly PostgresWatch[]): readonly Span[] {
  const spans = new Map(watches.map(({ span }) => [`${span.from}\u0100${span.end}`, span]))
  if (spans.size <= spansMax) return [...spans.values()]
  let [{ from, end }] = watches.map(({ span }) => span) as [Span]
  for (const span of spans.values()) {
    if (span.from < from) from = span.from
    if (span.end > end) end = span.end
  }
  return [{ from, end }]
}

function tooMany(): AlthingError {
  return new AlthingError('overloaded', `there are ${watchesMax} watches, the most allowed for a client`, {
    details: { limit: watchesMax },
  })
}
