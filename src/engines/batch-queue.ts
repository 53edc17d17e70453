import { AlthingError, withOutcome } from '../contracts/errors.ts'
import type { CallOptions } from '../contracts/store.ts'
import type { Timer, World } from '../contracts/world.ts'
import { type Settle, withDeadline } from './local/deadline.ts'

/** What is gathered into one call of a server, and how. */
export interface BatchKind<Request, Reply, Call, Answer> {
  /** Failures tell their `outcome`. */
  readonly isMutation: boolean
  /** Batches on their way at the same time. */
  readonly sentMax: number
  /** Requests, and bytes of them, of one batch. A single one may be larger. */
  readonly requestsMax: number
  readonly bytesMax: number
  /** `number` grows with each batch; a repeat has the number it had, and is told to be one. */
  callOf(requests: readonly Request[], number: number, isRepeat: boolean): Call
  /** Of the first requests, in their order: at least one. What is not answered was not looked at. */
  repliesOf(answer: Answer, requests: readonly Request[]): readonly Reply[]
}

/** How calls get to the server. */
export interface BatchCarrier<Call, Answer, A extends BatchAttempt = BatchAttempt> {
  readonly world: World
  attempt(): A
  /** One attempt. Never rejects. `compose` makes the call: at the last moment before `attempt.wasSent` is true, and never once the attempt is abandoned. */
  try(compose: () => Call, attempt: A): Promise<Tried<Answer>>
  /** How long to wait after so many failures in a row. */
  retryMs(failures: number): number
}

export interface BatchAttempt {
  /** It has left for the server. */
  readonly wasSent: boolean
  /** Nobody waits for it any more. What was sent may be carried out all the same; what was not never is. */
  abandon(): void
}

export type Tried<Answer> = { readonly answer: Answer } | { readonly failure: AttemptFailure }

export interface AttemptFailure {
  readonly error: AlthingError
  /** Another attempt may fare better. */
  readonly isPassing: boolean
  /** The server may have carried out what was sent, or may do so yet. Never for what was not sent. */
  readonly isAmbiguous: boolean
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
  /** From the first attempt on that may have been applied they stay the same. */
  entries: readonly Waiting<Request, Reply>[]
  /** An attempt was sent of which it is not known, and will not become known but by another's answer, whether it was applied. */
  isAmbiguous: boolean
  attempt: BatchAttempt | undefined
  wait: Timer | undefined
}

/**
 * Requests of one client on their way to a server: what gathers while calls are under way goes out together in the next. So many callers share one journey, and one sync of the disk. A batch whose fate is unknown is sent
 * again, under its number, until there is an answer or nobody waits for one any more.
 */
export class BatchQueue<Request, Reply, Call, Answer, A extends BatchAttempt = BatchAttempt> {
  readonly #carrier: BatchCarrier<Call, Answer, A>
  readonly #kind: BatchKind<Request, Reply, Call, Answer>
  readonly #sent = new Set<Batch<Request, Reply>>()
  #waiting: Waiting<Request, Reply>[] = []
  #waitingBytes = 0
  #number = 0
  #isScheduled = false
  #isClosed = false
  #lastError: AlthingError | undefined

  constructor(carrier: BatchCarrier<Call, Answer, A>, kind: BatchKind<Request, Reply, Call, Answer>) {
    this.#carrier = carrier
    this.#kind = kind
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
    return withDeadline<Reply>(this.#carrier.world, options, bound, (settle) => {
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
    for (let failures = 0; isWanted(batch); failures++) {
      const attempt = this.#carrier.attempt()
      batch.attempt = attempt
      const tried = await this.#carrier.try(() => this.#compose(batch), attempt)
      batch.attempt = undefined
      if ('answer' in tried) return this.#answer(batch, tried.answer)
      if (tried.failure.isAmbiguous) batch.isAmbiguous = true
      if (!tried.failure.isPassing) return this.#refuse(batch, tried.failure)
      this.#lastError = tried.failure.error
      await this.#pause(batch, this.#carrier.retryMs(failures))
    }
  }

  /** At the last moment: whoever gave up before was told that nothing was done, and nothing is. */
  #compose(batch: Batch<Request, Reply>): Call {
    if (!batch.isAmbiguous) batch.entries = batch.entries.filter((entry) => !entry.isOver)
    return this.#kind.callOf(requestsOf(batch), batch.number, batch.isAmbiguous)
  }

  #answer(batch: Batch<Request, Reply>, answer: Answer): void {
    this.#lastError = undefined
    const replies = this.#kind.repliesOf(answer, requestsOf(batch))
    for (const [i, reply] of replies.entries()) {
      const entry = batch.entries[i] as Waiting<Request, Reply>
      settleWith(entry, () => entry.settle.resolve(reply))
    }
    // The server has stopped before them: they are the first of the next.
    const left = batch.entries.slice(replies.length).filter((entry) => !entry.isOver)
    for (const entry of left) {
      entry.batch = undefined
      this.#waitingBytes += entry.bytes
    }
    this.#waiting.unshift(...left)
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
      const timer = this.#carrier.world.timers.after(ms, resolve)
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

function requestsOf<Request, Reply>({ entries }: Batch<Request, Reply>): readonly Request[] {
  return entries.map(({ request }) => request)
}

interface AnyBatch {
  readonly entries: readonly { readonly isOver: boolean }[]
  readonly attempt: BatchAttempt | undefined
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
