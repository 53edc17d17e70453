import { AlthingError, asAlthingError } from '../../contracts/errors.ts'
import type { WatchBatch, WatchRequest } from '../../contracts/store.ts'
import type { Timer, World } from '../../contracts/world.ts'
import { decodeWatchBatch } from '../../models/store/wire.ts'
import { WatchStream } from '../local/watch-stream.ts'
import type { EndpointPool } from './endpoint-pool.ts'
import { malformed, methods } from './protocol.ts'
import type { RpcConnection } from './rpc-connection.ts'
import { encodeWatchRequest } from './watch-request.ts'

/** How often a watch in which nothing happens learns how far the store is, so that a resume does not fall behind a compaction. */
const progressMs = 10_000
const retryMsMin = 20
const retryMsMax = 1_000

/** Failures that would come again, wherever and whenever the watch were set. */
const lasting: ReadonlySet<string> = new Set([
  'invalid-argument',
  'permission-denied',
  'unauthenticated',
  'not-found',
  'incompatible-peer',
  'too-large',
  'corrupt',
])

/** One watch of a client: held at one node at a time, set again from the next revision whenever that breaks. */
export class ClusterWatch {
  readonly stream: WatchStream
  readonly #world: World
  readonly #pool: EndpointPool
  readonly #request: WatchRequest
  readonly #ended: () => void
  #connection: RpcConnection | undefined
  #requestId = 0
  /** Distinguishes replies of the present subscription from late ones of an earlier. */
  #generation = 0
  #nextRevision: number | undefined
  #isCreated = false
  /** Of a batch that comes in parts, those before the last. */
  #parts: WatchBatch[] = []
  #attempts = 0
  #retry: Timer | undefined

  constructor(world: World, pool: EndpointPool, request: WatchRequest, ended: () => void) {
    this.#world = world
    this.#pool = pool
    this.#request = request
    this.#nextRevision = request.fromRevision
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
    const ready = this.#pool.ready()
    if (ready !== undefined) {
      this.#subscribeAt(ready, generation)
      return
    }
    this.#pool.connect().then(
      (connection) => this.#subscribeAt(connection, generation),
      (error: unknown) => this.#failed(asAlthingError(error), generation),
    )
  }

  #subscribeAt(connection: RpcConnection, generation: number): void {
    if (this.stream.isEnded || generation !== this.#generation) return
    const { key, end, previous } = this.#request
    const body = encodeWatchRequest({
      key,
      ...(end === undefined ? {} : { end }),
      ...(previous === undefined ? {} : { previous }),
      ...(this.#nextRevision === undefined ? {} : { fromRevision: this.#nextRevision }),
      progressMs: Math.ceil(Math.min(progressMs, this.#request.progressMs ?? progressMs)),
    })
    this.#connection = connection
    this.#parts = []
    this.#requestId = connection.request(methods.watch, 0, 0, body, {
      more: (part) => this.#receive(part, generation),
      done: (error) =>
        this.#failed(error ?? new AlthingError('unavailable', 'the node ended the watch'), generation),
    })
  }

  #receive(part: unknown, generation: number): void {
    if (generation !== this.#generation || this.stream.isEnded) return
    this.#attempts = 0
    let batch: WatchBatch | undefined
    try {
      batch = this.#assemble(part)
    } catch (error) {
      this.stream.fail(asAlthingError(error))
      return
    }
    if (batch === undefined) return
    this.#nextRevision = batch.revision + 1
    if (!this.#isWanted(batch)) return
    // A consumer that is behind costs the node nothing: the watch is given up there, and set again from here.
    if (!this.stream.push(batch)) this.#unsubscribe()
  }

  #assemble(part: unknown): WatchBatch | undefined {
    if (!Array.isArray(part) || typeof part[0] !== 'boolean') throw malformed('watch batch')
    const [isLast, wire] = part as [boolean, unknown]
    const batch = decodeWatchBatch(wire)
    if (isLast && this.#parts.length === 0) return batch
    this.#parts.push(batch)
    if (!isLast) return undefined
    const parts = this.#parts
    this.#parts = []
    return joinParts(parts, batch)
  }

  #isWanted(batch: WatchBatch): boolean {
    if (batch.kind === 'progress') return this.#request.progressMs !== undefined
    if (batch.kind !== 'created') return true
    const isFirst = !this.#isCreated
    this.#isCreated = true
    return isFirst
  }

  #failed(error: AlthingError, generation: number): void {
    if (generation !== this.#generation || this.stream.isEnded) return
    this.#generation++
    if (this.#connection !== undefined) {
      if (error.code === 'unavailable') this.#pool.avoid(this.#connection)
      else if (error.code === 'not-member' || error.code === 'node-failed')
        this.#pool.distrust(this.#connection)
    }
    this.#connection = undefined
    if (lasting.has(error.code)) {
      this.stream.fail(error)
      return
    }
    const ceiling = Math.min(retryMsMax, retryMsMin * 2 ** Math.min(this.#attempts++, 8))
    this.#retry = this.#world.timers.after(ceiling * (0.5 + this.#world.random.float() / 2), () =>
      this.#subscribe(),
    )
  }

  #unsubscribe(): void {
    this.#generation++
    this.#connection?.cancel(this.#requestId)
    this.#connection = undefined
  }

  #stop(): void {
    this.#unsubscribe()
    this.#retry?.cancel()
    this.#ended()
  }
}

/** One batch of the kind and revision of `last`, the last of `parts`. */
function joinParts(parts: readonly WatchBatch[], last: WatchBatch): WatchBatch {
  if (parts.some(({ kind, revision }) => kind !== last.kind || revision !== last.revision))
    throw malformed('watch batch: its parts are of different batches')
  if (last.kind === 'events')
    return { ...last, events: parts.flatMap((part) => (part.kind === 'events' ? part.events : [])) }
  if (last.kind === 'resync')
    return { ...last, kvs: parts.flatMap((part) => (part.kind === 'resync' ? part.kvs : [])) }
  throw malformed('watch batch in parts')
}
