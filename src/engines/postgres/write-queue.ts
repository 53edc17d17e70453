import { AlthingError, withOutcome } from '../../contracts/errors.ts'
import { type CallOptions, storeLimits } from '../../contracts/store.ts'
import type { Timer } from '../../contracts/world.ts'
import { type Settle, withDeadline } from '../local/deadline.ts'
import type { Attempt, Connections, Statement } from './connections.ts'
import type { Place } from './place.ts'
import type { AttemptFailure } from './postgres-errors.ts'

/** Commands, and bytes of them as JSON, that go out in one statement. One command may be larger. */
const batchCommandsMax = 256
const batchBytesMax = 4 * 1024 * 1024
/** Commands, and bytes of them, that may wait. Past it: `overloaded`. */
const waitingCommandsMax = 20_000
const waitingBytesMax = 256 * 1024 * 1024

interface Waiting {
  readonly command: string
  readonly settle: Settle<object>
  /** The call is over for its caller. */
  isOver: boolean
  /** In which it was sent. */
  batch: Batch | undefined
}

interface Batch {
  readonly sequence: number
  readonly entries: readonly Waiting[]
  /** An attempt was sent of which it is not known, and will not become known but by another's answer, whether it was applied. */
  isAmbiguous: boolean
  attempt: Attempt | undefined
  wait: Timer | undefined
}

/**
 * The commands of one client on their way to the server: one statement at a time, with all that has gathered since the last. So a commit (a sync of the disk) is shared by all who wait, and a batch
 * has one number, by which a repeat of it is known. A batch whose fate is unknown is sent again under its number until there is an answer, or nobody waits for one any more.
 */
export class WriteQueue {
  readonly #connections: Connections
  readonly #text: string
  readonly #client: string
  readonly #attemptMs: number
  #waiting: Waiting[] = []
  #waitingBytes = 0
  #sequence = 0
  #isRunning = false
  #isClosed = false

  /** `attemptMs`: after which an answer is looked for on another connection. */
  constructor(connections: Connections, place: Place, attemptMs: number) {
    this.#connections = connections
    this.#text = `select ${place.schema}.apply_batch($1, $2, $3, $4) as reply`
    this.#client = uuidOf(connections.world.random.bytes(16))
    this.#attemptMs = attemptMs
  }

  /** Resolves with the reply of the server to the command, a refusal too. */
  submit(command: string, options: CallOptions, timeoutMs: number): Promise<object> {
    if (this.#waiting.length >= waitingCommandsMax || this.#waitingBytes + command.length > waitingBytesMax) {
      return Promise.reject(overloaded())
    }
    let entry: Waiting | undefined
    const bound = {
      timeoutMs,
      outcome: () => outcomeOf(entry),
      lastError: () => this.#lastError,
      abandoned: () => {
        if (entry !== undefined) this.#abandon(entry)
      },
    }
    return withDeadline<object>(this.#connections.world, options, bound, (settle) => {
      entry = { command, settle, isOver: false, batch: undefined }
      this.#waiting.push(entry)
      this.#waitingBytes += command.length
      if (!this.#isRunning) {
        this.#isRunning = true
        // What is called in the same turn of the loop goes out together.
        queueMicrotask(() => void this.#run())
      }
    })
  }

  close(error: (outcome: 'none' | 'unknown') => AlthingError): void {
    this.#isClosed = true
    for (const entry of this.#waiting) settleWith(entry, () => entry.settle.reject(error('none')))
    this.#waiting = []
    const batch = this.#batch
    if (batch === undefined) return
    for (const entry of batch.entries) {
      const outcome = outcomeOf(entry)
      settleWith(entry, () => entry.settle.reject(error(outcome)))
    }
    this.#giveUp(batch)
  }

  #batch: Batch | undefined
  #lastError: AlthingError | undefined

  async #run(): Promise<void> {
    while (this.#waiting.length > 0 && !this.#isClosed) {
      const entries = this.#take()
      if (entries.length === 0) continue
      const batch: Batch = {
        sequence: ++this.#sequence,
        entries,
        isAmbiguous: false,
        attempt: undefined,
        wait: undefined,
      }
      for (const entry of entries) entry.batch = batch
      this.#batch = batch
      await this.#send(batch)
      this.#batch = undefined
    }
    this.#isRunning = false
  }

  #take(): Waiting[] {
    const entries: Waiting[] = []
    let bytes = 0
    for (const entry of this.#waiting) {
      const isFull = entries.length >= batchCommandsMax || bytes + entry.command.length > batchBytesMax
      if (entries.length > 0 && isFull) break
      entries.push(entry)
      bytes += entry.command.length
    }
    this.#waiting.splice(0, entries.length)
    this.#waitingBytes -= bytes
    return entries
  }

  async #send(batch: Batch): Promise<void> {
    const commands = `[${batch.entries.map(({ command }) => command).join(',')}]`
    const statement: Statement = {
      text: this.#text,
      values: [this.#client, batch.sequence, commands, storeLimits.rangeReplyBytesMax],
    }
    for (let failures = 0; isWanted(batch); failures++) {
      const attempt = this.#connections.attempt()
      batch.attempt = attempt
      const tried = await this.#connections.try(statement, this.#attemptMs, attempt)
      batch.attempt = undefined
      if ('rows' in tried) {
        this.#lastError = undefined
        answer(batch, tried.rows[0]?.reply as readonly object[])
        return
      }
      if (tried.failure.isAmbiguous) batch.isAmbiguous = true
      if (!tried.failure.isPassing) {
        refuse(batch, tried.failure)
        return
      }
      this.#lastError = tried.failure.error
      await this.#pause(batch, this.#connections.retryMs(failures))
    }
  }

  #pause(batch: Batch, ms: number): Promise<void> {
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

  #abandon(entry: Waiting): void {
    entry.isOver = true
    const { batch } = entry
    if (batch === undefined) {
      const at = this.#waiting.indexOf(entry)
      if (at < 0) return
      this.#waiting.splice(at, 1)
      this.#waitingBytes -= entry.command.length
    } else if (!isWanted(batch)) this.#giveUp(batch)
  }

  #giveUp(batch: Batch): void {
    batch.attempt?.abandon()
    batch.wait?.cancel()
  }
}

function isWanted(batch: Batch): boolean {
  return batch.entries.some((entry) => !entry.isOver)
}

/** Of a call that is given up now. */
function outcomeOf(entry: Waiting | undefined): 'none' | 'unknown' {
  const batch = entry?.batch
  if (batch === undefined) return 'none'
  return batch.isAmbiguous || batch.attempt?.wasSent === true ? 'unknown' : 'none'
}

function answer({ entries }: Batch, replies: readonly object[]): void {
  for (const [i, entry] of entries.entries()) {
    settleWith(entry, () => entry.settle.resolve(replies[i] as object))
  }
}

/** This attempt came to nothing; an earlier one may not have. */
function refuse(batch: Batch, { error, isAmbiguous }: AttemptFailure): void {
  const stated = withOutcome(error, isAmbiguous || batch.isAmbiguous ? 'unknown' : 'none')
  for (const entry of batch.entries) settleWith(entry, () => entry.settle.reject(stated))
}

function settleWith(entry: Waiting, settle: () => void): void {
  if (entry.isOver) return
  entry.isOver = true
  settle()
}

function overloaded(): AlthingError {
  return new AlthingError(
    'overloaded',
    `more than ${waitingCommandsMax} commands, or ${waitingBytesMax} bytes of them, wait for the server`,
    { outcome: 'none', details: { limit: waitingCommandsMax } },
  )
}

function uuidOf(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString('hex')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
