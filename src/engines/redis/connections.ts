import { AlthingError } from '../../contracts/errors.ts'
import type { CallOptions } from '../../contracts/store.ts'
import type { Timer, World } from '../../contracts/world.ts'
import type {
  AttemptFailure,
  BatchAttempt,
  BatchCarrier,
  BatchKind,
  BatchQueue,
  Tried as BatchTried,
} from '../batch-queue.ts'
import { withDeadline } from '../local/deadline.ts'
import type { ClientFactory, RedisArgument } from './library.ts'
import { Link } from './link.ts'
import type { Place } from './place.ts'
import { failureOf, replyCodeOf } from './redis-errors.ts'
import { type Script, scripts } from './script.ts'

/** A script and what it is given after the identity of the store. */
export interface ScriptCall {
  readonly script: Script
  readonly args: readonly RedisArgument[]
  /** Default: those of the store. */
  readonly keys?: readonly string[]
  /** A key besides those of the store. */
  readonly session?: string
}

/** What is gathered into one run of a script, and how. */
export type ScriptBatch<Request, Reply> = BatchKind<Request, Reply, ScriptCall, unknown>
export type ScriptCarrier = BatchCarrier<ScriptCall, unknown, Attempt>
export type ScriptQueue<Request, Reply> = BatchQueue<Request, Reply, ScriptCall, unknown, Attempt>

export interface ConnectionsOptions {
  readonly world: World
  readonly factory: ClientFactory
  readonly place: Place
  /** A connection that is silent for longer, while an answer is due, is given up. */
  readonly silentMsMax: number
  /** A store that the server has lost is made anew: where no more was promised. */
  readonly mayBeginAnew: boolean
  /** Of the store; absent before it was found. */
  readonly identity?: string
}

const retryMsMin = 10
const retryMsMax = 500

/** One attempt to have a script run. */
export class Attempt implements BatchAttempt {
  /** It has left for the server. */
  wasSent = false
  #isAbandoned = false
  #giveUp: ((error: Error) => void) | undefined

  get isAbandoned(): boolean {
    return this.#isAbandoned
  }

  /** Nobody waits for it any more. What was sent may be run all the same; what was not never is. */
  abandon(): void {
    this.#isAbandoned = true
    this.#giveUp?.(new Error('nobody waits for the answer any more'))
  }

  run<T>(work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#giveUp = reject
      work().then(resolve, reject)
    })
  }
}

export type Tried = BatchTried<unknown>

/** The connection of a store, made anew when it breaks: scripts with deadlines and retries. */
export class Connections implements ScriptCarrier {
  readonly world: World
  readonly place: Place
  readonly factory: ClientFactory
  readonly #silentMsMax: number
  readonly #mayBeginAnew: boolean
  #identity: string
  #link: Link | undefined
  #opening: Promise<Link> | undefined
  #failures = 0
  #isClosed = false

  constructor(options: ConnectionsOptions) {
    this.world = options.world
    this.place = options.place
    this.factory = options.factory
    this.#silentMsMax = options.silentMsMax
    this.#mayBeginAnew = options.mayBeginAnew
    this.#identity = options.identity ?? ''
  }

  /** Of the store on the server. It changes where one that was lost is begun anew. */
  get identity(): string {
    return this.#identity
  }

  close(): void {
    this.#isClosed = true
    this.#link?.abandon(new Error('the store is closed'))
  }

  /** The one that is in use. Rejects when it cannot be made. */
  async link(): Promise<Link> {
    if (this.#link?.isOver === false) return this.#link
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined
    })
    return await this.#opening
  }

  attempt(): Attempt {
    return new Attempt()
  }

  /** One attempt. Never rejects. A call that is a function is made when it is sent. */
  async try(call: ScriptCall | (() => ScriptCall), attempt = new Attempt()): Promise<Tried> {
    try {
      return { answer: await attempt.run(() => this.#run(call, attempt)) }
    } catch (error) {
      const word = replyCodeOf(error)
      if (word === 'ALTHINGGONE' || word === 'ALTHINGOTHER') return { failure: await this.#lost(error) }
      return { failure: failureOf(error, attempt.wasSent) }
    }
  }

  /** What may be repeated at will: tried until it succeeds, fails for good, or its time is over. `decode` may throw an `AlthingError`: an `unavailable` one is a failed attempt like another. */
  read<T>(
    call: ScriptCall,
    options: CallOptions,
    timeoutMs: number,
    decode: (reply: unknown) => T,
  ): Promise<T> {
    return this.repeat(options, timeoutMs, async (attempt) => {
      const tried = await this.try(call, attempt)
      if ('failure' in tried) return tried
      return { value: decode(tried.answer) }
    })
  }

  /** As {@link Connections.read}, for work of several steps. */
  repeat<T>(
    options: CallOptions,
    timeoutMs: number,
    work: (attempt: Attempt) => Promise<{ readonly value: T } | { readonly failure: AttemptFailure }>,
  ): Promise<T> {
    let attempt = new Attempt()
    let isOver = false
    let last: AlthingError | undefined
    let wait: Timer | undefined
    const bound = {
      timeoutMs,
      outcome: () => undefined,
      lastError: () => last,
      abandoned: () => {
        isOver = true
        attempt.abandon()
        wait?.cancel()
      },
    }
    return withDeadline<T>(this.world, options, bound, (settle) => {
      let failures = 0
      const next = async (): Promise<void> => {
        attempt = new Attempt()
        const done = await settled(work(attempt))
        if (isOver) return
        if ('value' in done) settle.resolve(done.value)
        else if (!done.failure.isPassing) settle.reject(done.failure.error)
        else {
          last = done.failure.error
          wait = this.world.timers.after(this.retryMs(failures++), () => void next())
        }
      }
      void next()
    })
  }

  /** How long to wait after so many failures in a row. */
  retryMs(failures: number): number {
    const ceiling = Math.min(retryMsMax, retryMsMin * 2 ** Math.min(failures, 8))
    return ceiling * (0.5 + this.world.random.float() / 2)
  }

  /** Finds the store, or makes it, and rejects as the server does. */
  async found(): Promise<{ readonly identity: string; readonly layout: number; readonly epoch: string }> {
    const link = await this.link()
    const { keys, tried } = this.place
    const candidate = Buffer.from(this.world.random.bytes(16)).toString('hex')
    const reply = (await link.run(scripts.found, [...keys, tried, tried], [candidate])) as [
      Buffer,
      number,
      Buffer,
    ]
    this.#identity = reply[0].toString()
    return { identity: this.#identity, layout: reply[1], epoch: reply[2].toString() }
  }

  async #run(call: ScriptCall | (() => ScriptCall), attempt: Attempt): Promise<unknown> {
    const link = await this.link()
    if (link.isOver) throw new Error('the connection was closed')
    if (attempt.isAbandoned) throw new Error('nobody waits for the answer any more')
    const { script, args, session, keys: own = this.place.keys } = typeof call === 'function' ? call() : call
    attempt.wasSent = true
    const keys = session === undefined ? own : [...own, session]
    return await link.run(script, keys, [this.#identity, ...args])
  }

  async #open(): Promise<Link> {
    if (this.#failures > 0) await this.#pause(this.retryMs(this.#failures - 1))
    if (this.#isClosed) throw new Error('the store is closed')
    const link = new Link(this.world, this.factory(), this.#silentMsMax)
    this.#link = link
    try {
      await link.connect()
    } catch (error) {
      this.#failures++
      link.abandon(error as Error)
      throw error
    }
    this.#failures = 0
    return link
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.world.timers.after(ms, resolve))
  }

  /** The server has another store in its place, or none. */
  async #lost(cause: unknown): Promise<AttemptFailure> {
    const before = this.#identity
    if (!this.#mayBeginAnew) {
      const message = `the store '${this.place.name}' that was opened here is not on the server any more, although the server was to keep all that it acknowledged: it was removed, or an older state was put in its place. Nothing was done. Open the store anew to begin again, and restart who holds rights from it`
      const error = new AlthingError('corrupt', message, { cause, outcome: 'none' })
      return { error, isPassing: false, isAmbiguous: false }
    }
    try {
      const { identity } = await this.found()
      if (identity !== before)
        this.world.logger.log('warn', 'the server has lost the store: it begins anew', {
          store: this.place.name,
        })
    } catch (error) {
      return failureOf(error, false)
    }
    const error = new AlthingError('unavailable', 'the server had lost the store', {
      cause,
      outcome: 'none',
    })
    return { error, isPassing: true, isAmbiguous: false }
  }
}

async function settled<T>(
  work: Promise<{ readonly value: T } | { readonly failure: AttemptFailure }>,
): Promise<{ readonly value: T } | { readonly failure: AttemptFailure }> {
  try {
    return await work
  } catch (error) {
    return { failure: failureOf(error, false) }
  }
}
