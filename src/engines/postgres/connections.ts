import type { AlthingError } from '../../contracts/errors.ts'
import type { CallOptions } from '../../contracts/store.ts'
import type { Timer, World } from '../../contracts/world.ts'
import type { AttemptFailure, BatchAttempt, BatchCarrier, BatchKind, BatchQueue } from '../batch-queue.ts'
import { withDeadline } from '../local/deadline.ts'
import { type ConnectionSource, KeptConnections, PooledConnections } from './connection-source.ts'
import { type PostgresClient, type PostgresPool, type QueryConfig, type Row, types } from './library.ts'
import { failureOf, standbyError } from './postgres-errors.ts'

export interface Statement {
  readonly text: string
  readonly values?: readonly unknown[]
  /** Prepared once on a connection, under this name. */
  readonly name?: string
  /** Whether the server was a standby, by the first row. Without it the column `standby` says so, where there is one. */
  readonly isOfStandby?: (first: Row) => boolean
}

/** What is gathered into one statement, and how. */
export type StatementBatch<Request, Reply> = BatchKind<Request, Reply, Statement, readonly Row[]>
export type StatementQueue<Request, Reply> = BatchQueue<Request, Reply, Statement, readonly Row[], Attempt>

const retryMsMin = 10
const retryMsMax = 500

/** One statement on one connection. When nobody waits for it any more the connection is closed: nothing else tells a dead one from a slow one. */
export class Attempt implements BatchAttempt {
  readonly #source: ConnectionSource
  readonly #usesNames: boolean
  #client: PostgresClient | undefined
  #isAbandoned = false
  /** The statement has left for the server. */
  wasSent = false

  constructor(source: ConnectionSource, usesNames: boolean) {
    this.#source = source
    this.#usesNames = usesNames
  }

  /** Rejects with whatever the library rejects with, and with `unavailable` where the answer may be old, being a standby's. */
  async run(statement: Statement | (() => Statement)): Promise<readonly Row[]> {
    const client = await this.#source.take()
    if (this.#isAbandoned) {
      this.#source.give(client)
      throw new Error('nobody waits for the statement any more')
    }
    this.#client = client
    const { text, values = [], name, isOfStandby } = typeof statement === 'function' ? statement() : statement
    this.wasSent = true
    const config: QueryConfig = { text, values, types }
    try {
      const { rows } = await client.query(
        name !== undefined && this.#usesNames ? { ...config, name } : config,
      )
      const [first] = rows
      if (first !== undefined && (isOfStandby?.(first) ?? first.standby === true)) throw standbyError()
      this.#release()
      return rows
    } catch (error) {
      this.#release(isOfStatement(error) ? undefined : (error as Error))
      throw error
    }
  }

  /** The statement may run to its end in the server all the same. */
  abandon(): void {
    this.#isAbandoned = true
    this.#release(new Error('nobody waits for the statement any more'))
  }

  #release(error?: Error): void {
    const client = this.#client
    this.#client = undefined
    if (client !== undefined) this.#source.give(client, error)
  }
}

/** The connections of a store: statements with deadlines and retries. */
export class Connections {
  readonly world: World
  readonly #pool: PostgresPool
  readonly #usesNames: boolean
  readonly #pooled: PooledConnections
  readonly #kept: KeptConnections
  readonly #running = new Set<Attempt>()

  constructor(world: World, pool: PostgresPool, options: { readonly usesNames: boolean }) {
    this.world = world
    this.#pool = pool
    this.#usesNames = options.usesNames
    this.#pooled = new PooledConnections(pool)
    this.#kept = new KeptConnections(world, pool)
  }

  get pool(): PostgresPool {
    return this.#pool
  }

  attempt(): Attempt {
    return new Attempt(this.#pooled, this.#usesNames)
  }

  /** For a statement that is likely to be followed by another at once. */
  attemptInSeries(): Attempt {
    return new Attempt(this.#kept, this.#usesNames)
  }

  /** For batches, each attempt of which is given up after `limitMs`, and an answer looked for on another connection. */
  carrier(limitMs: number): BatchCarrier<Statement, readonly Row[], Attempt> {
    return {
      world: this.world,
      attempt: () => this.attemptInSeries(),
      try: async (compose, attempt) => {
        const tried = await this.try(compose, limitMs, attempt)
        return 'rows' in tried ? { answer: tried.rows } : tried
      },
      retryMs: (failures) => this.retryMs(failures),
    }
  }

  /** Gives up what is under way: nobody waits for it any more. */
  abandonAll(): void {
    this.#kept.close()
    for (const attempt of this.#running) attempt.abandon()
  }

  /** One attempt, given up after `limitMs`. Never rejects. A statement that is a function is made when it is sent. */
  async try(
    statement: Statement | (() => Statement),
    limitMs: number,
    attempt = this.attempt(),
  ): Promise<Tried> {
    this.#running.add(attempt)
    try {
      return { rows: await within(attempt, statement, this.world, limitMs) }
    } catch (error) {
      return { failure: failureOf(error, attempt.wasSent) }
    } finally {
      this.#running.delete(attempt)
    }
  }

  /**
   * A statement that may be repeated at will: tried until it succeeds, fails for good, or its time is over. Half of the time is the most for one attempt: so a call outlives one connection
   * whose other end is silent. `decode` may throw an `AlthingError`: an `unavailable` one is a failed attempt like another.
   */
  read<T>(
    statement: Statement,
    options: CallOptions,
    timeoutMs: number,
    decode: (rows: readonly Row[]) => T,
  ): Promise<T> {
    let attempt: Attempt | undefined
    let isOver = false
    let last: AlthingError | undefined
    let wait: Timer | undefined
    const bound = {
      timeoutMs,
      outcome: () => undefined,
      lastError: () => last,
      abandoned: () => {
        isOver = true
        attempt?.abandon()
        wait?.cancel()
      },
    }
    return withDeadline<T>(this.world, options, bound, (settle) => {
      let failures = 0
      const next = async (): Promise<void> => {
        attempt = this.attempt()
        const tried = decoded(await this.try(statement, timeoutMs / 2, attempt), decode)
        if (isOver) return
        if ('value' in tried) settle.resolve(tried.value)
        else if (!tried.failure.isPassing) settle.reject(tried.failure.error)
        else {
          last = tried.failure.error
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
}

export type Tried = { readonly rows: readonly Row[] } | { readonly failure: AttemptFailure }

function decoded<T>(
  tried: Tried,
  decode: (rows: readonly Row[]) => T,
): { readonly value: T } | { readonly failure: AttemptFailure } {
  if ('failure' in tried) return tried
  try {
    return { value: decode(tried.rows) }
  } catch (error) {
    return { failure: failureOf(error, false) }
  }
}

/** A pool may keep a caller waiting for a connection for longer than the caller has. */
function within(
  attempt: Attempt,
  statement: Statement | (() => Statement),
  world: World,
  limitMs: number,
): Promise<readonly Row[]> {
  return new Promise((resolve, reject) => {
    const timer = world.timers.after(limitMs, () => {
      reject(new Error(`no ${attempt.wasSent ? 'answer' : 'connection'} within ${Math.round(limitMs)} ms`))
      attempt.abandon()
    })
    attempt.run(statement).then(
      (rows) => {
        timer.cancel()
        resolve(rows)
      },
      (error: unknown) => {
        timer.cancel()
        reject(error as Error)
      },
    )
  })
}

/** The server refused the statement; the connection is as good as before. */
function isOfStatement(error: unknown): boolean {
  const { code, severity } = error as { readonly code?: unknown; readonly severity?: unknown }
  // A server that has become a standby will not be the primary again on this connection.
  return severity === 'ERROR' && code !== '25006'
}
