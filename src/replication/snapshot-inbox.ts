import { isAlthingError } from '../contracts/errors.ts'
import type { Logger } from '../contracts/world.ts'
import type { Raft } from '../protocols/raft/raft.ts'
import type { Message, NodeId, SnapshotMeta } from '../protocols/raft/types.ts'
import type { RaftStorage, SnapshotReceiver } from './storage.ts'

type Chunk = Extract<Message, { type: 'installSnapshot' }>

export interface SnapshotInboxOptions {
  readonly storage: RaftStorage
  readonly raft: Raft
  readonly logger: Logger
  send(message: Message): void
  /** The snapshot is whole and durable; `chunks` is its content. Resolves when the model stands at it: until then no other is taken. */
  install(
    from: NodeId,
    transferId: number,
    snapshot: SnapshotMeta,
    chunks: readonly Uint8Array[],
  ): Promise<void>
  fail(cause: unknown): void
}

interface Transfer {
  readonly from: NodeId
  readonly transferId: number
  readonly snapshot: SnapshotMeta
  readonly receiver: SnapshotReceiver
  /** Chunks are stored one after the other. */
  tail: Promise<void>
  waiting: number
  /** Everything has come, and is being checked, made durable, and given to the model. */
  isFinishing: boolean
  received: number
}

/** Chunks waiting for the disk past which more are dropped: the sender has a smaller window, and sends again. */
const waitingChunksMax = 32

/** The follower's end of a snapshot transfer (paper section 7): one at a time, a newer one replaces it. */
export class SnapshotInbox {
  readonly #options: SnapshotInboxOptions
  #transfer: Transfer | undefined
  #closed = false

  constructor(options: SnapshotInboxOptions) {
    this.#options = options
  }

  accept(chunk: Chunk): void {
    if (this.#closed) return
    const transfer = this.#transferOf(chunk)
    if (transfer === undefined || transfer.waiting >= waitingChunksMax) return
    transfer.waiting++
    transfer.tail = transfer.tail
      .then(() => this.#store(transfer, chunk))
      .catch((cause: unknown) => this.#failed(transfer, cause))
      .finally(() => transfer.waiting--)
  }

  close(): void {
    this.#closed = true
    this.#abandon()
  }

  /** `undefined`: the chunk is not wanted. */
  #transferOf(chunk: Chunk): Transfer | undefined {
    const current = this.#transfer
    // A sender that has become impatient starts anew; a snapshot that is whole here is not given up for that, or a large one would never be installed.
    if (current?.isFinishing === true) {
      // A sign of life: a sender that heard nothing for too long would begin all over again.
      if (current.transferId === chunk.transferId) this.#reply(current, current.received)
      return undefined
    }
    if (current !== undefined && current.from === chunk.from && current.transferId === chunk.transferId)
      return current
    this.#abandon()
    const { from, transferId, snapshot } = chunk
    let receiver: SnapshotReceiver
    try {
      receiver = this.#options.storage.receiveSnapshot(snapshot, transferId)
    } catch (cause) {
      this.#options.fail(cause)
      return undefined
    }
    const tail = Promise.resolve()
    const transfer = {
      from,
      transferId,
      snapshot,
      receiver,
      tail,
      waiting: 0,
      isFinishing: false,
      received: 0,
    }
    this.#transfer = transfer
    return transfer
  }

  async #store(transfer: Transfer, chunk: Chunk): Promise<void> {
    if (this.#transfer !== transfer) return
    const received = await transfer.receiver.write(chunk.offset, chunk.data)
    transfer.received = received
    if (this.#transfer !== transfer) return
    const isWhole = chunk.done && received === chunk.offset + chunk.data.byteLength
    if (!isWhole) {
      this.#reply(transfer, received)
      return
    }
    transfer.isFinishing = true
    await transfer.receiver.finish()
    const chunks = await this.#content(transfer.snapshot)
    if (this.#transfer !== transfer) return
    if (chunks !== undefined)
      await this.#options.install(transfer.from, transfer.transferId, transfer.snapshot, chunks)
    if (this.#transfer === transfer) this.#transfer = undefined
  }

  async #content(snapshot: SnapshotMeta): Promise<Uint8Array[] | undefined> {
    const reader = await this.#options.storage.openSnapshot()
    // A newer one of our own may have taken its place meanwhile; raft then needs this one no more.
    if (reader === undefined) return undefined
    try {
      if (reader.meta.index !== snapshot.index) return undefined
      const chunks: Uint8Array[] = []
      for await (const chunk of reader.chunks()) chunks.push(chunk)
      return chunks
    } finally {
      await reader.close()
    }
  }

  #reply(transfer: Transfer, offset: number): void {
    const { raft, send } = this.#options
    send(raft.snapshotReply(transfer.from, transfer.transferId, transfer.snapshot.index, offset))
  }

  #failed(transfer: Transfer, cause: unknown): void {
    if (this.#transfer !== transfer || this.#closed) return
    this.#abandon()
    if (isAlthingError(cause, 'no-space')) {
      // The sender hears nothing, and begins anew later.
      this.#options.logger.log('warn', 'a snapshot cannot be received: the disk is full', {
        from: transfer.from,
      })
      return
    }
    if (!isAlthingError(cause, 'corrupt')) {
      this.#options.fail(cause)
      return
    }
    this.#options.logger.log('warn', 'a snapshot arrived damaged; asking for it again', {
      from: transfer.from,
      reason: cause.message,
    })
    this.#reply(transfer, 0)
  }

  #abandon(): void {
    const transfer = this.#transfer
    this.#transfer = undefined
    if (transfer !== undefined) void transfer.tail.then(() => transfer.receiver.abort()).catch(() => {})
  }
}
