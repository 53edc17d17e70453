import { AlthingError, asAlthingError, withOutcome } from '../../contracts/errors.ts'
import type { Timer, World } from '../../contracts/world.ts'
import type { AppliedMessage, ItemResult } from './log-machine.ts'
import { bytesOfItem, encodeMessage, type LogItem, messageOverheadBytes, writerBytes } from './log-message.ts'
import type { SharedLog } from './shared-log.ts'

const messagesInFlightMax = 8
const itemsPerMessageMax = 512
/** A message takes no more items past this; one larger item is a message by itself. */
const messageBytesGoal = 256 * 1024
const queuedItemsMax = 10_000
const queuedBytesMax = 64 * 1024 * 1024
const retryMsMin = 20
const retryMsMax = 500

export type PublishCallback = (error: AlthingError | undefined, result: ItemResult) => void

/** One thing on its way through the log. */
export interface Publication {
  /** Nobody waits any more. Returns what may have happened: with `none`, it is not in the log and never will be. */
  abandon(): 'none' | 'unknown'
  /** What went wrong last. */
  readonly lastError: AlthingError | undefined
  /** How often it was sent. */
  readonly attempts: number
}

export interface PublisherOptions {
  readonly world: World
  readonly log: SharedLog
  /** The message that this copy has applied last. */
  applied(): number
  /** See `Replica.wentBack`. */
  wentBack(sequence: number): void
  /** The log is full. Resolves with whether room was made. */
  makeRoom(): Promise<boolean>
}

interface Waiting {
  /** Absent: only the place in the log matters. */
  readonly item: LogItem | undefined
  readonly bytes: number
  readonly done: PublishCallback
  message: Message | undefined
  isOver: boolean
}

interface Message {
  readonly number: number
  waiting: readonly Waiting[]
  /** An attempt is under way. */
  isAttempted: boolean
  /** An earlier copy may be in the log. */
  isUncertain: boolean
  /** The log has a copy, at this place. */
  acknowledged: number | undefined
  attempts: number
  failures: number
  timer: Timer | undefined
  lastError: AlthingError | undefined
}

/**
 * Brings what this process has to say into the log, and tells each caller what came of it once this process's own copy has applied it. Calls that come while others are on
 * their way go together in the next message. A message is sent again until it is seen in the log: that it is there twice does no harm, since each command carries its session and
 * sequence.
 */
export class Publisher {
  readonly writer: string
  readonly #world: World
  readonly #options: PublisherOptions
  readonly #queue: Waiting[] = []
  readonly #inFlight = new Map<number, Message>()
  #queuedBytes = 0
  #next = 1
  #isFlushing = false
  #closed: AlthingError | undefined
  #lastError: AlthingError | undefined

  constructor(options: PublisherOptions) {
    this.#options = options
    this.#world = options.world
    this.writer = Buffer.from(options.world.random.bytes(writerBytes)).toString('hex')
  }

  /** `done` is called once, unless the publication is abandoned before; and never before this returns. Without an item: when everything that was in the log at the call has been applied. */
  publish(item: LogItem | undefined, done: PublishCallback): Publication {
    const bytes = item === undefined ? 0 : bytesOfItem(item)
    const waiting: Waiting = { item, bytes, done, message: undefined, isOver: false }
    const problem = this.#closed ?? this.#problemOf(bytes)
    if (problem === undefined) {
      this.#queue.push(waiting)
      this.#queuedBytes += bytes
      this.#flushSoon()
    } else {
      this.#world.timers.immediate(() => settle(waiting, problem, undefined))
    }
    const lastError = (): AlthingError | undefined => waiting.message?.lastError ?? this.#lastError
    return {
      abandon: () => this.#abandon(waiting),
      get lastError() {
        return lastError()
      },
      get attempts() {
        return waiting.message?.attempts ?? 0
      },
    }
  }

  /** To be called for each message of the log that this process has written, after it was applied. */
  applied(content: AppliedMessage): void {
    const message = this.#inFlight.get(content.number)
    if (message === undefined) return
    this.#remove(message)
    this.#lastError = undefined
    for (const [index, waiting] of message.waiting.entries())
      settle(waiting, undefined, content.results[index])
    this.#flushSoon()
  }

  /** The log is followed again, or the connection has come back: what waits for that goes on. */
  resume(): void {
    for (const message of this.#inFlight.values()) {
      if (message.timer === undefined || this.#isOnItsWay(message)) continue
      message.timer.cancel()
      message.timer = undefined
      this.#attempt(message)
    }
    this.#flushSoon()
  }

  /** All that waits, and all that comes, is refused with this. */
  close(error: AlthingError): void {
    if (this.#closed !== undefined) return
    this.#closed = withOutcome(error, 'none')
    for (const message of this.#inFlight.values()) {
      message.timer?.cancel()
      const outcome = mayBeInLog(message) ? 'unknown' : 'none'
      for (const waiting of message.waiting) settle(waiting, withOutcome(error, outcome), undefined)
    }
    this.#inFlight.clear()
    for (const waiting of this.#queue.splice(0)) settle(waiting, this.#closed, undefined)
    this.#queuedBytes = 0
  }

  #problemOf(bytes: number): AlthingError | undefined {
    const bytesMax = this.#options.log.messageBytesMax - messageOverheadBytes
    if (bytes > bytesMax) {
      return new AlthingError(
        'too-large',
        `the command takes ${bytes} bytes, but a message of the log at most ${bytesMax}`,
        {
          outcome: 'none',
          details: { bytes, limit: bytesMax },
        },
      )
    }
    if (this.#queue.length < queuedItemsMax && this.#queuedBytes + bytes <= queuedBytesMax) return undefined
    return new AlthingError(
      'overloaded',
      `${this.#queue.length} calls of ${this.#queuedBytes} bytes wait for the log already`,
      { outcome: 'none' },
    )
  }

  #flushSoon(): void {
    if (this.#isFlushing || this.#queue.length === 0) return
    this.#isFlushing = true
    this.#world.timers.immediate(() => {
      this.#isFlushing = false
      this.#flush()
    })
  }

  #flush(): void {
    // Without a connection what waits has surely not happened.
    while (
      this.#queue.length > 0 &&
      this.#inFlight.size < messagesInFlightMax &&
      this.#options.log.isConnected
    ) {
      const message: Message = {
        number: this.#next++,
        waiting: this.#take(),
        isAttempted: false,
        isUncertain: false,
        acknowledged: undefined,
        attempts: 0,
        failures: 0,
        timer: undefined,
        lastError: undefined,
      }
      if (message.waiting.length === 0) return
      for (const waiting of message.waiting) waiting.message = message
      this.#inFlight.set(message.number, message)
      this.#attempt(message)
    }
  }

  #take(): readonly Waiting[] {
    const goal = Math.min(messageBytesGoal, this.#options.log.messageBytesMax - messageOverheadBytes)
    const taken: Waiting[] = []
    let bytes = 0
    let items = 0
    let count = 0
    for (const waiting of this.#queue) {
      if (!waiting.isOver) {
        if (taken.length > 0 && (bytes + waiting.bytes > goal || items >= itemsPerMessageMax)) break
        taken.push(waiting)
        bytes += waiting.bytes
        if (waiting.item !== undefined) items++
      }
      this.#queuedBytes -= waiting.bytes
      count++
    }
    this.#queue.splice(0, count)
    // Those that wait for the place only come last, so that results and items stand at the same index.
    return [...taken.filter(hasItem), ...taken.filter((waiting) => !hasItem(waiting))]
  }

  #attempt(message: Message): void {
    if (!this.#options.log.isConnected) {
      this.#retry(message)
      return
    }
    // Where no copy can be in the log, those whose callers have gone are left out: they are told that nothing happened.
    if (!mayBeInLog(message)) message.waiting = message.waiting.filter((waiting) => !waiting.isOver)
    if (message.waiting.every((waiting) => waiting.isOver)) {
      this.#remove(message)
      this.#flushSoon()
      return
    }
    const items = message.waiting.flatMap(({ item }) => item ?? [])
    const appliedBefore = this.#options.applied()
    message.isAttempted = true
    message.attempts++
    this.#options.log.append(encodeMessage({ writer: this.writer, number: message.number, items })).then(
      (sequence) => this.#acknowledged(message, sequence, appliedBefore),
      (error: unknown) => this.#failed(message, asAlthingError(error)),
    )
  }

  #acknowledged(message: Message, sequence: number, appliedBefore: number): void {
    message.isAttempted = false
    if (this.#closed !== undefined) return
    message.acknowledged = sequence
    if (sequence <= appliedBefore) this.#options.wentBack(sequence)
    else if (this.#inFlight.get(message.number) === message) this.#retry(message)
  }

  #failed(message: Message, error: AlthingError): void {
    message.isAttempted = false
    if (error.outcome !== 'none') message.isUncertain = true
    message.lastError = error
    this.#lastError = error
    if (this.#inFlight.get(message.number) !== message) return
    if (error.code === 'no-space') void this.#makeRoom(message, error)
    else if (error.code === 'too-large' || error.code === 'permission-denied') this.#refuse(message, error)
    else this.#retry(message)
  }

  async #makeRoom(message: Message, error: AlthingError): Promise<void> {
    const isRoom = await this.#options.makeRoom().catch(() => false)
    if (this.#inFlight.get(message.number) !== message) return
    if (isRoom) this.#attempt(message)
    else this.#refuse(message, error)
  }

  #refuse(message: Message, error: AlthingError): void {
    this.#remove(message)
    const outcome = mayBeInLog(message) ? 'unknown' : 'none'
    for (const waiting of message.waiting) settle(waiting, withOutcome(error, outcome), undefined)
    this.#flushSoon()
  }

  /** After a while; when the message has been acknowledged, only if this copy has come past its place without seeing it. */
  #retry(message: Message): void {
    message.timer?.cancel()
    const waitMs =
      Math.min(retryMsMax, retryMsMin * 2 ** message.failures++) * (0.5 + this.#world.random.float())
    message.timer = this.#world.timers.after(waitMs, () => {
      message.timer = undefined
      if (this.#closed !== undefined || this.#inFlight.get(message.number) !== message) return
      if (message.waiting.every((waiting) => waiting.isOver)) {
        this.#remove(message)
        this.#flushSoon()
      } else if (this.#isOnItsWay(message)) this.#retry(message)
      else this.#attempt(message)
    })
  }

  /** It has its place in the log, which this copy has not come to. */
  #isOnItsWay({ acknowledged }: Message): boolean {
    return acknowledged !== undefined && this.#options.applied() < acknowledged
  }

  #abandon(waiting: Waiting): 'none' | 'unknown' {
    waiting.isOver = true
    const { message } = waiting
    if (message === undefined) return 'none'
    return mayBeInLog(message) ? 'unknown' : 'none'
  }

  #remove(message: Message): void {
    message.timer?.cancel()
    message.timer = undefined
    this.#inFlight.delete(message.number)
  }
}

function hasItem({ item }: Waiting): boolean {
  return item !== undefined
}

function mayBeInLog({ isAttempted, isUncertain, acknowledged }: Message): boolean {
  return isAttempted || isUncertain || acknowledged !== undefined
}

function settle(waiting: Waiting, error: AlthingError | undefined, result: ItemResult): void {
  if (waiting.isOver) return
  waiting.isOver = true
  waiting.done(error, result)
}
