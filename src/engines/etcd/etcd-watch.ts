import { AlthingError, asAlthingError, type ErrorCode } from '../../contracts/errors.ts'
import type { WatchEvent, WatchRequest } from '../../contracts/store.ts'
import type { Timer, World } from '../../contracts/world.ts'
import { eventKey } from '../../models/store/key-space.ts'
import { WatchStream } from '../local/watch-stream.ts'
import { type Attempt, type EtcdCalls, unary } from './calls.ts'
import type { Endpoint, OpenStream } from './endpoint.ts'
import type { Endpoints } from './endpoints.ts'
import { errorOfReason, isStaleToken } from './etcd-errors.ts'
import { etcdRange } from './key-ranges.ts'
import {
  type EtcdEvent,
  type EtcdWatchRequest,
  type EtcdWatchResponse,
  eventType,
  methods,
} from './messages.ts'
import type { RangeReader } from './range-reader.ts'
import { parseServerVersion, reportsProgressInOrder, type ServerVersion } from './server-version.ts'

const retryMsMin = 20
const retryMsMax = 1_000
/** A member from which nothing was heard for this long is asked whether it is there. */
const idleMsMax = 2_500
/** And given up after this long without an answer. */
const answerMs = 2_000
const callMs = 5_000

/** Failures that would come again, wherever and whenever the watch were set. */
const lasting: ReadonlySet<ErrorCode> = new Set([
  'invalid-argument',
  'permission-denied',
  'unauthenticated',
  'incompatible-peer',
  'too-large',
  'corrupt',
  'closed',
])

/**
 * One watch: a stream of its own at one member at a time, set again from the next revision whenever that breaks.
 *
 * It always asks for one revision more than it wants, and drops that: etcd lets a watch begin at the compact revision itself, whose deletions may be gone
 * (https://github.com/etcd-io/etcd/issues/19179). So what begins is complete.
 */
export class EtcdWatch {
  readonly stream: WatchStream
  readonly #world: World
  readonly #endpoints: Endpoints
  readonly #calls: EtcdCalls
  readonly #reader: RangeReader
  readonly #request: WatchRequest
  readonly #ended: () => void
  readonly #closing = new AbortController()
  /** Tells messages of the present subscription from late ones of an earlier. */
  #generation = 0
  #next: number | undefined
  #isCreated = false
  /** The consumer was too slow since the last event that it was given. */
  #wasPaused = false
  #fragments: EtcdEvent[] = []
  #open: OpenStream<EtcdWatchRequest> | undefined
  #attempts = 0
  #retry: Timer | undefined
  #tick: Timer | undefined

  constructor(
    world: World,
    parts: { readonly endpoints: Endpoints; readonly calls: EtcdCalls; readonly reader: RangeReader },
    request: WatchRequest,
    ended: () => void,
  ) {
    this.#world = world
    this.#endpoints = parts.endpoints
    this.#calls = parts.calls
    this.#reader = parts.reader
    this.#request = request
    this.#next = request.fromRevision
    this.#ended = ended
    this.stream = new WatchStream(
      { resume: () => this.#subscribe(), stop: () => this.#stop() },
      request.signal,
    )
  }

  start(): void {
    this.#subscribe()
  }

  #subscribe(): void {
    if (this.stream.isEnded) return
    const generation = ++this.#generation
    this.#set(generation).catch((error: unknown) => this.#failed(asAlthingError(error), generation))
  }

  async #set(generation: number): Promise<void> {
    const options = { timeoutMs: callMs, signal: this.#closing.signal }
    // By the quorum: a member that is behind would begin with changes that the caller already knows of.
    this.#next ??= (await this.#reader.newestRevision(options)) + 1
    if (this.#next === 1 && !this.#isCreated && (await this.#reader.wasCompacted(options))) {
      // etcd has no revision before the first to ask for, and so would not tell of a compaction to the first.
      await this.#resync(generation)
      return
    }
    const { endpoint, version } = await this.#calls.make({
      repetition: 'read',
      needsLeader: false,
      options,
      attempt: meet,
    })
    const token = await this.#calls.token(endpoint)
    if (this.stream.isEnded || generation !== this.#generation) return
    this.#fragments = []
    const open = endpoint.stream(
      methods.watch,
      { token, needsLeader: true },
      {
        message: (response) => this.#received(response, endpoint, version, generation),
        ended: (error) => this.#failed(error ?? endedBy(endpoint), generation, endpoint),
      },
    )
    this.#open = open
    open.write({ create: this.#creation(this.#next) })
    this.#beat(endpoint, version, generation)
  }

  #creation(next: number): EtcdWatchRequest['create'] {
    const { key, rangeEnd } = etcdRange(this.#request)
    return {
      key,
      // etcd refuses a range that can hold nothing; of a single key in its place all events are dropped.
      rangeEnd: this.#isEmpty ? '' : rangeEnd,
      startRevision: Math.max(1, next - 1),
      progressNotify: true,
      prevKv: this.#request.previous === true,
      fragment: true,
    }
  }

  get #isEmpty(): boolean {
    const { key, rangeEnd } = etcdRange(this.#request)
    return key === rangeEnd && rangeEnd !== '\u0000'
  }

  #received(
    response: EtcdWatchResponse,
    endpoint: Endpoint,
    version: ServerVersion,
    generation: number,
  ): void {
    if (generation !== this.#generation || this.stream.isEnded) return
    this.#attempts = 0
    if (response.canceled) {
      this.#canceled(response, endpoint, generation)
    } else if (response.created) {
      if (!this.#isCreated) this.stream.push({ kind: 'created', revision: (this.#next as number) - 1 })
      this.#isCreated = true
    } else if (response.events.length > 0) {
      for (const event of response.events) this.#fragments.push(event)
      if (response.fragment) return
      const events = this.#fragments
      this.#fragments = []
      this.#deliver(events)
    } else if (response.watchId >= 0 || reportsProgressInOrder(version)) {
      this.#progressed(response.header?.revision ?? 0)
    }
  }

  #deliver(found: readonly EtcdEvent[]): void {
    const next = this.#next as number
    const events = this.#isEmpty ? [] : found.map(watchEventOf).filter((each) => revisionOf(each) >= next)
    const last = events.at(-1)
    if (last === undefined) return
    events.sort(byRevisionAndKey)
    const revision = revisionOf(last)
    this.#next = revision + 1
    this.#wasPaused = false
    if (!this.stream.push({ kind: 'events', revision, events })) this.#pause()
  }

  #progressed(revision: number): void {
    const next = this.#next as number
    if (revision < next - 1 || this.#fragments.length > 0) return
    this.#next = revision + 1
    if (this.#request.progressMs === undefined) return
    if (!this.stream.push({ kind: 'progress', revision })) this.#pause()
  }

  #canceled(response: EtcdWatchResponse, endpoint: Endpoint, generation: number): void {
    if (response.compactRevision === 0) {
      const error = errorOfReason(response.cancelReason, endpoint.address) ?? endedBy(endpoint)
      this.#failed(error, generation, endpoint)
      return
    }
    this.#release()
    this.#resync(generation).catch((error: unknown) => this.#failed(asAlthingError(error), generation))
  }

  /** What was missed is gone: the range as it is, and on from there. */
  async #resync(generation: number): Promise<void> {
    const { key, end } = this.#request
    const range = end === undefined ? { key } : { key, end }
    const options = { timeoutMs: callMs, signal: this.#closing.signal }
    const { revision, kvs } = await this.#reader.whole(range, options)
    if (this.stream.isEnded || generation !== this.#generation) return
    const fromRevision = this.#next as number
    const reason = this.#wasPaused ? 'slow' : 'compacted'
    this.#wasPaused = false
    this.#next = Math.max(fromRevision, revision + 1)
    if (!this.#isCreated) this.stream.push({ kind: 'created', revision: fromRevision - 1 })
    this.#isCreated = true
    const isWanted = this.stream.push({ kind: 'resync', reason, fromRevision, revision, kvs })
    if (isWanted) this.#subscribe()
    else this.#pause()
  }

  /** A consumer that is behind costs the member nothing: the watch is given up there, and set again when there is room. */
  #pause(): void {
    this.#wasPaused = true
    this.#generation++
    this.#release()
  }

  /** Notices members that are silent, and asks for progress where the caller wants to know and the server tells it in order. */
  #beat(endpoint: Endpoint, version: ServerVersion, generation: number): void {
    const connection = endpoint.generation
    const { progressMs } = this.#request
    const asksProgress = progressMs !== undefined && reportsProgressInOrder(version)
    const beatMs = asksProgress ? Math.min(idleMsMax, Math.max(progressMs, 50)) : idleMsMax
    let askedMs: number | undefined
    let giveUp: (() => void) | undefined
    const beat = (): void => {
      if (generation !== this.#generation || this.stream.isEnded) return
      const nowMs = this.#world.clock.monotonicMs()
      const isSilent = askedMs !== undefined && endpoint.lastHeardMs < askedMs && nowMs - askedMs >= answerMs
      if (isSilent) {
        giveUp?.()
        this.#endpoints.distrust(endpoint)
      }
      if (endpoint.generation !== connection) {
        this.#failed(endedBy(endpoint), generation, endpoint)
        return
      }
      if (asksProgress) this.#open?.write({ progress: {} })
      if (askedMs === undefined || endpoint.lastHeardMs >= askedMs) {
        askedMs = nowMs - endpoint.lastHeardMs >= beatMs ? nowMs : undefined
        if (askedMs !== undefined)
          giveUp = endpoint.unary(methods.status, {}, { needsLeader: false }, () => undefined)
      }
      this.#tick = this.#world.timers.after(beatMs, beat)
    }
    this.#tick = this.#world.timers.after(beatMs, beat)
  }

  #failed(error: AlthingError, generation: number, endpoint?: Endpoint): void {
    if (generation !== this.#generation || this.stream.isEnded) return
    this.#generation++
    this.#release()
    if (isStaleToken(error)) this.#calls.forgetToken()
    else if (lasting.has(error.code)) {
      this.stream.fail(error)
      return
    } else if (endpoint !== undefined) this.#endpoints.avoid(endpoint)
    const ceiling = Math.min(retryMsMax, retryMsMin * 2 ** Math.min(this.#attempts++, 8))
    const delayMs = ceiling * (0.5 + this.#world.random.float() / 2)
    this.#retry = this.#world.timers.after(delayMs, () => this.#subscribe())
  }

  #release(): void {
    this.#tick?.cancel()
    this.#open?.cancel()
    this.#open = undefined
  }

  #stop(): void {
    this.#generation++
    this.#release()
    this.#retry?.cancel()
    this.#closing.abort()
    this.#ended()
  }
}

/** A member that answers, and what it is. */
const meet: Attempt<{ readonly endpoint: Endpoint; readonly version: ServerVersion }> = (
  endpoint,
  headers,
  done,
) =>
  unary(methods.status, {})(endpoint, headers, (error, status) => {
    if (status === undefined) {
      done(error)
      return
    }
    try {
      done(undefined, { endpoint, version: parseServerVersion(status.version) })
    } catch (problem) {
      done(asAlthingError(problem))
    }
  })

function endedBy(endpoint: Endpoint): AlthingError {
  return new AlthingError('unavailable', `etcd at ${endpoint.address} ended the watch`)
}

function watchEventOf({ type, kv, prevKv }: EtcdEvent): WatchEvent {
  if (kv === undefined) throw new AlthingError('corrupt', 'an event of etcd has no key')
  const previous = prevKv === undefined ? {} : { previous: prevKv }
  return type === eventType.delete
    ? { type: 'delete', key: kv.key, modRevision: kv.modRevision, ...previous }
    : { type: 'put', kv, ...previous }
}

function revisionOf(event: WatchEvent): number {
  return event.type === 'put' ? event.kv.modRevision : event.modRevision
}

function byRevisionAndKey(a: WatchEvent, b: WatchEvent): number {
  return revisionOf(a) - revisionOf(b) || (eventKey(a) < eventKey(b) ? -1 : 1)
}
