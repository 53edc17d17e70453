import { AlthingError } from '../../contracts/errors.ts'
import type { Timer, World } from '../../contracts/world.ts'
import { natsError } from './nats-errors.ts'
import type { JetStreamManager, NatsConnection, NatsMessage } from './nats-library.ts'
import type { LogHandler } from './shared-log.ts'

const heartbeatMs = 1_000
/** So much silence, and the consumer, or the way to it, is taken to be gone. */
const silenceMsMax = 2_500
const nanoseconds = 1_000_000

export interface NatsFollowerOptions {
  readonly world: World
  readonly connection: NatsConnection
  readonly manager: JetStreamManager
  readonly stream: string
  readonly from: number
  readonly inbox: string
  readonly handler: LogHandler
  /** Nothing was heard from the server for too long. */
  silent(): void
}

/**
 * An ephemeral push consumer of its own, with heartbeats and flow control. It numbers what it sends, so a message that is lost on the way is noticed: by the next one, or by the next
 * heartbeat. It then ends, and a new one is made.
 */
export class NatsFollower {
  readonly #options: NatsFollowerOptions
  #subscription: { unsubscribe(): void } | undefined
  #consumer: string | undefined
  #timer: Timer | undefined
  /** The last message by the consumer's own count. */
  #delivered = 0
  #isOver = false

  constructor(options: NatsFollowerOptions) {
    this.#options = options
  }

  start(): void {
    const { connection, manager, stream, from, inbox, handler } = this.#options
    try {
      this.#subscription = connection.subscribe(inbox, {
        callback: (error, message) => {
          if (this.#isOver) return
          if (error !== null) this.end(natsError(error))
          else this.#receive(message)
        },
      })
    } catch (error) {
      this.#options.world.timers.immediate(() => this.end(natsError(error)))
      return
    }
    this.#heard()
    manager.consumers
      .add(stream, {
        deliver_subject: inbox,
        deliver_policy: 'by_start_sequence',
        opt_start_seq: from,
        ack_policy: 'none',
        replay_policy: 'instant',
        max_deliver: 1,
        flow_control: true,
        idle_heartbeat: heartbeatMs * nanoseconds,
        mem_storage: true,
        num_replicas: 1,
      })
      .then(
        ({ name }) => {
          this.#consumer = name
          if (this.#isOver) this.#remove()
          else handler.following()
        },
        (error: unknown) => this.end(natsError(error)),
      )
  }

  stop(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#timer?.cancel()
    try {
      this.#subscription?.unsubscribe()
    } catch {
      // The connection is closed, and the subscription with it.
    }
    this.#remove()
  }

  end(error: AlthingError): void {
    if (this.#isOver) return
    this.stop()
    this.#options.handler.ended(error)
  }

  #receive(message: NatsMessage): void {
    this.#heard()
    const { headers, reply, data } = message
    if (headers !== undefined && headers.code === 100) {
      this.#control(headers, reply)
      return
    }
    const place = placeOf(reply)
    if (place === undefined) return
    if (place.delivered !== this.#delivered + 1) {
      this.end(lostMessage())
      return
    }
    this.#delivered = place.delivered
    this.#options.handler.message({ sequence: place.sequence, timeMs: place.timeMs, data })
  }

  #control(headers: NonNullable<NatsMessage['headers']>, reply: string | undefined): void {
    // A request of the flow control, or the subject to answer a stalled one on.
    const answerTo = reply !== undefined && reply !== '' ? reply : headers.get('Nats-Consumer-Stalled')
    if (answerTo !== '') this.#options.connection.publish(answerTo)
    const delivered = headers.get('Nats-Last-Consumer')
    if (delivered !== '' && Number(delivered) > this.#delivered) this.end(lostMessage())
  }

  #heard(): void {
    this.#timer?.cancel()
    this.#timer = this.#options.world.timers.after(silenceMsMax, () => {
      this.end(new AlthingError('unavailable', 'nothing was heard of the log for too long'))
      this.#options.silent()
    })
  }

  /** It would be removed by the server after a while without a reader, too. */
  #remove(): void {
    const { connection, manager, stream } = this.#options
    if (this.#consumer === undefined || connection.isClosed()) return
    manager.consumers.delete(stream, this.#consumer).catch(() => undefined)
  }
}

/** `$JS.ACK.<stream>.<consumer>.<deliveries>.<sequence>.<delivered>.<nanoseconds>.<pending>`; newer servers put the domain and the account before the stream. */
function placeOf(
  subject: string | undefined,
): { readonly sequence: number; readonly delivered: number; readonly timeMs: number } | undefined {
  const parts = subject?.split('.') ?? []
  if (parts[0] !== '$JS' || parts[1] !== 'ACK' || parts.length < 9) return undefined
  const at = parts.length === 9 ? 5 : 7
  const timeMs = Math.floor(Number((parts[at + 2] ?? '').slice(0, -3)) / 1_000)
  const sequence = Number(parts[at])
  const delivered = Number(parts[at + 1])
  return Number.isSafeInteger(sequence) && Number.isSafeInteger(delivered) && timeMs > 0
    ? { sequence, delivered, timeMs }
    : undefined
}

function lostMessage(): AlthingError {
  return new AlthingError('unavailable', 'a message of the log was lost on the way')
}
