import { bytesFromText, textFromBytes } from '../../base/bytes.ts'
import type { Connection, Listener, World } from '../../contracts/world.ts'

/** A node of an election, and where it listens. */
export interface ElectionMember {
  /** A whole number > 0. In bully and ring the greatest that stands leads. */
  readonly id: number
  /** `host:port` */
  readonly address: string
}

interface Addressed {
  readonly from: number
  readonly to: number
}

const queuedBytesMax = 256 * 1024
const waitingMax = 32

/**
 * Carries messages between the nodes of one election, each at most once and in any order. One that cannot leave is dropped: the machines are built for that. Where
 * the world's network is secured only what shows itself as a node is listened to.
 */
export class ElectionTransport<Message extends Addressed> {
  readonly #world: World
  readonly #election: string
  readonly #self: number
  readonly #addresses: ReadonlyMap<number, string>
  readonly #receive: (message: Message) => void
  readonly #open = new Map<number, Connection>()
  /** Messages for those that are being dialled. */
  readonly #waiting = new Map<number, Uint8Array[]>()
  readonly #accepted = new Set<Connection>()
  #listener: Listener | undefined
  #isClosed = false

  constructor(
    world: World,
    {
      election,
      self,
      members,
    }: { readonly election: string; readonly self: number; readonly members: readonly ElectionMember[] },
    receive: (message: Message) => void,
  ) {
    this.#world = world
    this.#election = election
    this.#self = self
    this.#addresses = new Map(members.map(({ id, address }) => [id, address]))
    this.#receive = receive
  }

  /** Rejects with `unavailable` when the own address is taken. */
  async start(): Promise<void> {
    const address = this.#addresses.get(this.#self) ?? ''
    const listener = await this.#world.network.listen(address, (connection) => this.#accept(connection))
    if (this.#isClosed) await listener.close()
    else this.#listener = listener
  }

  send(message: Message): void {
    if (this.#isClosed) return
    const { to } = message
    const frame = bytesFromText(JSON.stringify({ election: this.#election, message }, withBytes))
    const connection = this.#open.get(to)
    if (connection !== undefined) {
      if (connection.queuedBytes < queuedBytesMax) connection.send(frame)
      return
    }
    const waiting = this.#waiting.get(to)
    if (waiting === undefined) this.#dial(to, frame)
    else if (waiting.length < waitingMax) waiting.push(frame)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const connection of [...this.#open.values(), ...this.#accepted]) connection.close()
    await this.#listener?.close()
  }

  #dial(to: number, first: Uint8Array): void {
    const address = this.#addresses.get(to)
    if (address === undefined) return
    this.#waiting.set(to, [first])
    this.#world.network.connect(address, { delivery: 'datagram', as: 'node', timeoutMs: 1_000 }).then(
      (connection) => this.#opened(to, connection),
      (error: unknown) => {
        this.#waiting.delete(to)
        this.#world.logger.log('debug', 'a member of an election is not reached', {
          to,
          error: String(error),
        })
      },
    )
  }

  #opened(to: number, connection: Connection): void {
    const frames = this.#waiting.get(to) ?? []
    this.#waiting.delete(to)
    if (this.#isClosed) {
      connection.close()
      return
    }
    this.#open.set(to, connection)
    connection.handle({
      frame: () => connection.close(),
      closed: () => {
        if (this.#open.get(to) === connection) this.#open.delete(to)
      },
    })
    for (const frame of frames) connection.send(frame)
  }

  #accept(connection: Connection): void {
    if (this.#isClosed || connection.identity?.isNode === false) {
      connection.close()
      return
    }
    this.#accepted.add(connection)
    connection.handle({
      frame: (frame) => this.#read(connection, frame),
      closed: () => void this.#accepted.delete(connection),
    })
  }

  #read(connection: Connection, frame: Uint8Array): void {
    if (this.#isClosed) return
    const read = parseFrame(frame)
    const message = read?.message as Message | undefined
    const isOurs =
      read?.election === this.#election && message?.to === this.#self && this.#addresses.has(message.from)
    if (isOurs) {
      this.#receive(message)
      return
    }
    this.#world.logger.log('warn', 'closing a connection: no message for this election', {
      remote: connection.remoteAddress,
    })
    connection.close()
  }
}

function parseFrame(
  frame: Uint8Array,
): { readonly election?: unknown; readonly message?: unknown } | undefined {
  try {
    const read: unknown = JSON.parse(textFromBytes(frame), fromBytes)
    return typeof read === 'object' && read !== null ? read : undefined
  } catch {
    return undefined
  }
}

function withBytes(_: string, value: unknown): unknown {
  return value instanceof Uint8Array ? { base64: Buffer.from(value).toString('base64') } : value
}

function fromBytes(_: string, value: unknown): unknown {
  const text = (value as { readonly base64?: unknown } | null)?.base64
  return typeof text === 'string' ? new Uint8Array(Buffer.from(text, 'base64')) : value
}
