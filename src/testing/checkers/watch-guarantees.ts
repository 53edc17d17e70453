import type { WatchBatch, WatchEvent, WatchRequest } from '../../contracts/store.ts'
import { type EventLog, eventKey, eventRevision, isInRange, sameEvent, sameKeyValue } from './event-log.ts'
import { FindingsCollector, type FindingsResult } from './verdict.ts'

/** Of a store in which nothing has happened yet. */
const firstRevision = 1

/** What one watcher asked for and was given. */
export interface WatchObservation {
  /** For messages. */
  readonly name: string
  readonly request: Pick<WatchRequest, 'key' | 'end' | 'fromRevision' | 'previous'>
  /** In the order of their arrival. */
  readonly batches: readonly WatchBatch[]
  /** It was given time enough to see everything up to here: what is missing then is lost. Default: what it was last told. */
  readonly completeUntil?: number
}

/**
 * Judges watchers by the event log. The guarantees, each the name of its findings:
 *
 * - `ordered`: revisions never go back;
 * - `unique`: no event twice;
 * - `complete`: nothing up to what the watcher was told of is left out, since the revision it asked for or was set at;
 * - `atomic`: the events of one revision come in one batch;
 * - `resumable`: a watcher that asked for a revision is given nothing older, and all since;
 * - `previous`: the key as it was before, where that was asked for;
 * - `progress`: what is reported as told has been told, and lies not in the future of the log;
 * - `truthful`: every event is in the log as it was given;
 * - `filtered`: no event of a key outside the range;
 * - `resync`: the list after a compaction is the range at its revision, and leaves no gap;
 * - `created`: comes once, first.
 */
export function checkWatches(log: EventLog, observations: readonly WatchObservation[]): FindingsResult {
  const findings = new FindingsCollector()
  for (const observation of observations) new WatchReplay(log, observation, findings).run()
  return findings.result()
}

class WatchReplay {
  readonly #log: EventLog
  readonly #observation: WatchObservation
  readonly #findings: FindingsCollector
  readonly #seen = new Set<string>()
  /** Everything up to here has been told, or was not asked for; `undefined` until it is known where the watch begins. */
  #position: number | undefined
  #isCreated = false

  constructor(log: EventLog, observation: WatchObservation, findings: FindingsCollector) {
    this.#log = log
    this.#observation = observation
    this.#findings = findings
    const { fromRevision } = observation.request
    this.#position = fromRevision === undefined ? undefined : fromRevision - 1
  }

  run(): void {
    for (const batch of this.#observation.batches) this.#take(batch)
    const { completeUntil } = this.#observation
    if (completeUntil !== undefined && this.#position !== undefined) {
      this.#expectAllTold(completeUntil, 'complete', 'at the end')
    }
  }

  #take(batch: WatchBatch): void {
    if (batch.kind === 'created') this.#takeCreated(batch.revision)
    else {
      if (!this.#isCreated) this.#find('created', `${batch.kind} came before created`)
      this.#isCreated = true
      if (batch.kind === 'events') this.#takeEvents(batch.events, batch.revision)
      else if (batch.kind === 'progress') this.#takeProgress(batch.revision)
      else this.#takeResync(batch)
    }
  }

  #takeCreated(revision: number): void {
    if (this.#isCreated) this.#find('created', `created came twice, again at revision ${revision}`)
    this.#isCreated = true
    this.#position ??= revision
  }

  #takeEvents(events: readonly WatchEvent[], revision: number): void {
    const last = events.at(-1)
    if (last === undefined) this.#find('atomic', `a batch at revision ${revision} has no events`)
    let newest = 0
    for (const event of events) {
      this.#checkEvent(event, newest)
      newest = Math.max(newest, eventRevision(event))
    }
    if (newest > revision) {
      this.#find('atomic', `a batch of revision ${revision} has an event of revision ${newest}`)
    }
    this.#expectAllTold(
      Math.max(newest, revision),
      this.#gapName(),
      `in the batch of revision ${revision}`,
      events,
    )
  }

  #checkEvent(event: WatchEvent, newestInBatch: number): void {
    const key = eventKey(event)
    const revision = eventRevision(event)
    const what = `${event.type} of ${JSON.stringify(key)} at revision ${revision}`
    const identity = `${revision} ${key}`
    const isRepeated = this.#seen.has(identity)
    if (isRepeated) this.#find('unique', `${what} came twice`)
    this.#seen.add(identity)
    if (!isInRange(this.#observation.request, key)) this.#find('filtered', `${what} was not asked for`)
    if (revision < newestInBatch) this.#find('ordered', `${what} came after revision ${newestInBatch}`)
    const position = this.#position ?? 0
    const from = this.#observation.request.fromRevision
    if (from !== undefined && revision < from) {
      this.#find('resumable', `${what} came, but revision ${from} was asked for`)
    } else if (revision < position) {
      this.#find('ordered', `${what} came after revision ${position}`)
    } else if (revision === position && !isRepeated) {
      this.#find('atomic', `${what} came after the batch of that revision`)
    }
    const truth = this.#log.newestAt(key, revision)
    if (truth === undefined || !sameEvent(truth, event)) {
      this.#find('truthful', `${what} is not in the log as it came`)
    }
    if (this.#observation.request.previous !== true) return
    const before = this.#log.newestAt(key, revision - 1)
    if (!sameKeyValue(before?.type === 'put' ? before.kv : undefined, event.previous)) {
      this.#find('previous', `${what} came with a wrong previous value`)
    }
  }

  #takeProgress(revision: number): void {
    const newest = this.#log.revisions.at(-1)?.revision ?? firstRevision
    if (this.#position !== undefined && revision < this.#position && this.#hasBegun()) {
      this.#find('progress', `progress goes back from revision ${this.#position} to ${revision}`)
    }
    if (revision > newest && revision > (this.#observation.completeUntil ?? Number.POSITIVE_INFINITY)) {
      this.#find('progress', `progress at revision ${revision}, which the store has not reached`)
    }
    this.#expectAllTold(revision, 'progress', `although progress tells revision ${revision}`)
  }

  #takeResync(batch: WatchBatch & { readonly kind: 'resync' }): void {
    const { fromRevision, revision, kvs } = batch
    const expected = (this.#position ?? 0) + 1
    if (fromRevision > expected)
      this.#expectAllTold(fromRevision - 1, 'resync', `before the resync from ${fromRevision}`)
    if (revision < expected - 1)
      this.#find('resync', `resync goes back from revision ${expected - 1} to ${revision}`)
    const truth = this.#log.stateAt(this.#observation.request, revision)
    const isSame = kvs.length === truth.size && kvs.every((kv) => sameKeyValue(truth.get(kv.key), kv))
    if (!isSame) this.#find('resync', `the list of the resync is not the range at revision ${revision}`)
    this.#position = Math.max(this.#position ?? 0, revision)
  }

  /** Finds what the log has after the position up to `revision` and `told` has not, and moves the position there. */
  #expectAllTold(revision: number, guarantee: string, where: string, told: readonly WatchEvent[] = []): void {
    const after = this.#position ?? revision
    const given = new Set(told.map((event) => `${eventRevision(event)} ${eventKey(event)}`))
    for (const { revision: at, events } of this.#log.between(
      this.#observation.request,
      after + 1,
      revision,
    )) {
      const missing = events.filter((event) => !given.has(`${at} ${eventKey(event)}`))
      for (const event of missing) {
        const isPart = missing.length < events.length
        const what = `${event.type} of ${JSON.stringify(eventKey(event))} at revision ${at}`
        this.#find(isPart ? 'atomic' : guarantee, `${what} is missing ${where}`)
      }
    }
    this.#position = Math.max(after, revision)
  }

  /** Some of the revisions asked for have been told. */
  #hasBegun(): boolean {
    return (this.#position ?? 0) >= (this.#observation.request.fromRevision ?? 0)
  }

  #gapName(): string {
    return this.#hasBegun() ? 'complete' : 'resumable'
  }

  #find(guarantee: string, message: string): void {
    this.#findings.add(guarantee, `watcher ${this.#observation.name}: ${message}`)
  }
}
