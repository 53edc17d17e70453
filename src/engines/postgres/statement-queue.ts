import { AlthingError, withOutcome } from '../../contracts/errors.ts'
import type { CallOptions } from '../../contracts/store.ts'
import type { Timer } from '../../contracts/world.ts'
import { type Settle, withDeadline } from '../local/deadline.ts'
import type { Attempt, Connections, Statement } from './connections.ts'
import type { Row } from './library.ts'
import type { AttemptFailure } from './postgres-errors.ts'

/** What is gathered into one statement, and how. */
export interface StatementKind<Request, Reply> {
  /** Failures tell their `outcome`. */
  readonly isMutation: boolean
  /** Statements on their way at the same time. */
  readonly sentMax: number
  /** Requests, and bytes of them, of one statement. A single one may be larger. */
  readonly requestsMax: number
  readonly bytesMax: number
  /** `number` grows with each statement; a repeat of a statement has the number it had. */
  statementOf(requests: readonly Request[], number: number): Statement
  /** One for each request, in their order. `requests` are those of the statement. */
  repliesOf(rows: readonly Row[], requests: readonly Request[]): readonly Reply[]
}

/** Requests, and bytes of them, that may wait. Past it: `overloaded`. */
const waitingMax = 20_000
const waitingBytesMax = 256 * 1024 * 1024

interface Waiting<Request, Reply> {
  readonly request: Request
  readonly bytes: number
  readonly settle: Settle<Reply>
  /** The call is over for its caller. */
  isOver: boolean
  /** In which it was sent. */
  batch: Batch<Request, Reply> | undefined
}

interface Batch<Request, Reply> {
  readonly number: number
  readonly entries: readonly Waiting<Request, Reply>[]
  /** An attempt was sent of which it is not known, and will not become known but by another's answer, whether it was applied. */
  isAmbiguous: boolean
  attempt: Attempt | undefined
  wait: Timer | undefined
}

/**
 * Requests of one client on their way to the server: what gathers while statements are under way goes out together in the next. So many callers share one commit (a sync of the disk), and one
 * journey. A statement whose fate is unknown is sent again, under its number, until there is an answer or nobody waits for one any more.
 */
export class StatementQueue<Request, Reply> {
  readonly #connections: Connections
  readonly #kind: StatementKind<Request, Reply>
  readonly #attemptMs: number
  readonly #sent = new Set<Batch<Request, Reply>>()
  #waiting: Waiting<Request, Reply>[] = []
  #waitingBytes = 0
  #number = 0
  #isScheduled = false
  #isClosed = false
  #lastError: AlthingError | undefined

  /** `attemptMs`: after which an answer is looked for on another connection. */
  constructor(connections: Connections, kind: StatementKind<Request, Reply>, attemptMs: number) {
    this.#connections = connections
    this.#kind = kind
    this.#attemptMs = attemptMs
  }

  submit(request: Request, bytes: number, options: CallOptions, timeoutMs: number): Promise<Reply> {
    if (this.#waiting.length >= waitingMax || this.#waitingBytes + bytes > waitingBytesMax) {
      return Promise.reject(this.#overloaded())
    }
    let entry: Waiting<Request, Reply> | undefined
    const bound = {
      timeoutMs,
      outcome: () => this.#outcomeOf(entry),
      lastError: () => this.#lastError,
      abandoned: () => {
        if (entry !== undefined) this.#abandon(entry)
      },
    }
    return withDeadline<Reply>(this.#connections.world, options, bound, (settle) => {
      entry = { request, bytes, settle, isOver: false, batch: undefined }
      this.#waiting.push(entry)
      this.#waitingBytes += bytes
      this.#schedule()
    })
  }

  close(error: (outcome: 'none' | 'unknown' | undefined) => AlthingError): void {
    this.#isClosed = true
    const entries = [...this.#waiting, ...[...this.#sent].flatMap((batch) => batch.entries)]
    this.#waiting = []
    for (const entry of entries) {
      const outcome = this.#outcomeOf(entry)
      settleWith(entry, () => entry.settle.reject(error(outcome)))
    }
    for (const batch of this.#sent) giveUp(batch)
  }

  /** What is asked for in the same turn of the loop goes out together. */
  #schedule(): void {
    if (this.#isScheduled || this.#sent.size >= this.#kind.sentMax) return
    this.#isScheduled = true
    queueMicrotask(() => {
      this.#isScheduled = false
      this.#sendNext()
    })
  }

  #sendNext(): void {
    const entries = this.#take()
    if (entries.length === 0 || this.#isClosed) return
    const batch: Batch<Request, Reply> = {
      number: ++this.#number,
      entries,
      isAmbiguous: false,
      attempt: undefined,
      wait: undefined,
    }
    for (const entry of entries) entry.batch = batch
    this.#sent.add(batch)
    void this.#send(batch).finally(() => {
      this.#sent.delete(batch)
      if (this.#waiting.length > 0) this.#schedule()
    })
  }

  #take(): Waiting<Request, Reply>[] {
    const { requestsMax, bytesMax } = this.#kind
    let count = 0
    let bytes = 0
    for (const entry of this.#waiting) {
      if (count > 0 && (count >= requestsMax || bytes + entry.bytes > bytesMax)) break
      count++
      bytes += entry.bytes
    }
    this.#waitingBytes -= bytes
    return this.#waiting.splice(0, count)
  }

  async #send(batch: Batch<Request, Reply>): Promise<void> {
    const requests = batch.entries.map(({ request }) => request)
    const statement = this.#kind.statementOf(requests, batch.number)
    for (let failures = 0; isWanted(batch); failures++) {
      const attempt = this.#connections.attemptInSeries()
      batch.attempt = attempt
      const tried = await this.#connections.try(statement, this.#attemptMs, attempt)
      batch.attempt = undefined
      if ('rows' in tried) {
        this.#lastError = undefined
        const replies = this.#kind.repliesOf(tried.rows, requests)
        for (const [i, entry] of batch.entries.entries())
          settleWith(entry, () => entry.settle.resolve(replies[i] as Reply))
        return
      }
      if (tried.failure.isAmbiguous) batch.isAmbiguous = true
      if (!tried.failure.isPassing) return this.#refuse(batch, tried.failure)
      this.#lastError = tried.failure.error
      await this.#pause(batch, this.#connections.retryMs(failures))
    }
  }

  /** This attempt came to nothing; an earlier one may not have. */
  #refuse(batch: Batch<Request, Reply>, { error, isAmbiguous }: AttemptFailure): void {
    const outcome = isAmbiguous || batch.isAmbiguous ? 'unknown' : 'none'
    const stated = this.#kind.isMutation ? withOutcome(error, outcome) : error
    for (const entry of batch.entries) settleWith(entry, () => entry.settle.reject(stated))
  }

  #pause(batch: Batch<Request, Reply>, ms: number): Promise<void> {
    if (!isWanted(batch)) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = this.#connections.world.timers.after(ms, resolve)
      batch.wait = {
        cancel: () => {
          timer.cancel()
          resolve()
        },
      }
    })
  }

  #abandon(entry: Waiting<Request, Reply>): void {
    entry.isOver = true
    const { batch } = entry
    if (batch === undefined) {
      const at = this.#waiting.indexOf(entry)
      if (at < 0) return
      this.#waiting.splice(at, 1)
      this.#waitingBytes -= entry.bytes
    } else if (!isWanted(batch)) giveUp(batch)
  }

  /** Of a call that is given up now. */
  #outcomeOf(entry: Waiting<Request, Reply> | undefined): 'none' | 'unknown' | undefined {
    if (!this.#kind.isMutation) return undefined
    const batch = entry?.batch
    if (batch === undefined) return 'none'
    return batch.isAmbiguous || batch.attempt?.wasSent === true ? 'unknown' : 'none'
  }

  #overloaded(): AlthingError {
    return new AlthingError(
      'overloaded',
      `more than ${waitingMax} requests, or ${waitingBytesMax} bytes of them, wait for the server`,
      { details: { limit: waitingMax }, ...(this.#kind.isMutation ? { outcome: 'none' as const } : {}) },
    )
  }
}

interface AnyBatch {
  readonly entries: readonly { readonly isOver: boolean }[]
  readonly attempt: Attempt | undefined
  readonly wait: Timer | undefined
}

function isWanted(batch: AnyBatch): boolean {
  return batch.entries.some((entry) => !entry.isOver)
}

function giveUp(batch: AnyBatch): void {
  batch.attempt?.abandon()
  batch.wait?.cancel()
}

function settleWith(entry: { isOver: boolean }, settle: () => void): void {
  if (entry.isOver) return
  entry.isOver = true
  settle()
}
