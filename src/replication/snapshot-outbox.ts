import { isAlthingError } from '../contracts/errors.ts'
import type { Timer, World } from '../contracts/world.ts'
import type { Raft } from '../protocols/raft/raft.ts'
import type { Message, NodeId } from '../protocols/raft/types.ts'
import type { RaftStorage, SnapshotReader } from './storage.ts'

export interface SnapshotOutboxOptions {
  readonly storage: RaftStorage
  readonly raft: Raft
  readonly world: World
  send(message: Message): void
  finished(to: NodeId, index: number, ok: boolean): void
  /** The snapshot on this node's own disk is damaged. */
  fail(cause: unknown): void
}

interface Stream {
  readonly to: NodeId
  readonly transferId: number
  reader: SnapshotReader | undefined
  /** Next byte to send. */
  offset: number
  /** The follower has everything before this. */
  acknowledged: number
  /** Chunks in flight are read and sent by one loop at a time. */
  isSending: boolean
  /** Rounds of the resend timer without any progress. */
  silentRounds: number
  timer: Timer | undefined
  ended: boolean
}

const chunkBytes = 512 * 1024
const windowBytes = 4 * chunkBytes
const resendMs = 1_000
const silentRoundsMax = 10

/** The leader's end of snapshot transfers (paper section 7): one stream a follower, a window of chunks, sent again from the last gap when nothing moves. */
export class SnapshotOutbox {
  readonly #options: SnapshotOutboxOptions
  readonly #streams = new Map<NodeId, Stream>()
  #nextTransferId: number

  constructor(options: SnapshotOutboxOptions) {
    this.#options = options
    // Random, so that a leader that restarts never continues a transfer of its former life.
    this.#nextTransferId = options.world.random.integer(1, 2 ** 40)
  }

  start(to: NodeId): void {
    if (this.#streams.has(to)) return
    const stream: Stream = {
      to,
      transferId: this.#nextTransferId++,
      reader: undefined,
      offset: 0,
      acknowledged: 0,
      isSending: false,
      silentRounds: 0,
      timer: undefined,
      ended: false,
    }
    this.#streams.set(to, stream)
    this.#open(stream).catch((cause: unknown) => this.#broken(stream, cause))
  }

  progress(message: Extract<Message, { type: 'installSnapshotReply' }>): void {
    const stream = this.#streams.get(message.from)
    if (stream?.reader === undefined || stream.transferId !== message.transferId) return
    if (message.installed) {
      this.#end(stream, true)
      return
    }
    if (message.offset > stream.reader.size) return
    // Also one that says nothing new: the follower lives, and may be busy with what it has.
    if (message.offset >= stream.acknowledged) stream.silentRounds = 0
    else if (message.offset < stream.acknowledged) stream.offset = message.offset
    stream.acknowledged = message.offset
    stream.offset = Math.max(stream.offset, message.offset)
    this.#pump(stream)
  }

  cancel(to: NodeId): void {
    const stream = this.#streams.get(to)
    if (stream !== undefined) this.#release(stream)
  }

  close(): void {
    for (const stream of this.#streams.values()) this.#release(stream)
  }

  async #open(stream: Stream): Promise<void> {
    const reader = await this.#options.storage.openSnapshot()
    if (stream.ended || reader === undefined) {
      await reader?.close()
      if (!stream.ended) this.#end(stream, false)
      return
    }
    stream.reader = reader
    this.#armResend(stream)
    this.#pump(stream)
  }

  #pump(stream: Stream): void {
    if (stream.isSending || stream.ended) return
    stream.isSending = true
    this.#sendChunks(stream)
      .catch((cause: unknown) => this.#broken(stream, cause))
      .finally(() => (stream.isSending = false))
  }

  async #sendChunks(stream: Stream): Promise<void> {
    const { raft, send } = this.#options
    const { reader } = stream
    while (
      reader !== undefined &&
      !stream.ended &&
      stream.offset < reader.size &&
      stream.offset - stream.acknowledged < windowBytes
    ) {
      const { offset } = stream
      const data = await reader.read(offset, Math.min(chunkBytes, reader.size - offset))
      // The window may have been set back while the disk was read.
      if (stream.ended || stream.offset !== offset) continue
      stream.offset = offset + data.byteLength
      const message = raft.snapshotMessage(
        stream.to,
        stream.transferId,
        reader.meta,
        offset,
        data,
        stream.offset === reader.size,
      )
      // Leads no more: raft cancels the stream itself.
      if (message === undefined) return
      send(message)
    }
  }

  #armResend(stream: Stream): void {
    stream.timer = this.#options.world.timers.after(resendMs, () => {
      if (++stream.silentRounds > silentRoundsMax) {
        this.#end(stream, false)
        return
      }
      if (stream.silentRounds > 1) stream.offset = stream.acknowledged
      this.#armResend(stream)
      this.#pump(stream)
    })
  }

  #broken(stream: Stream, cause: unknown): void {
    if (stream.ended) return
    if (isAlthingError(cause, 'corrupt')) {
      this.#options.fail(cause)
      return
    }
    const reason = cause instanceof Error ? cause.message : String(cause)
    this.#options.world.logger.log('error', 'snapshot cannot be sent', { to: stream.to, reason })
    this.#end(stream, false)
  }

  #end(stream: Stream, ok: boolean): void {
    const index = stream.reader?.meta.index ?? 0
    this.#release(stream)
    this.#options.finished(stream.to, index, ok)
  }

  #release(stream: Stream): void {
    stream.ended = true
    stream.timer?.cancel()
    if (this.#streams.get(stream.to) === stream) this.#streams.delete(stream.to)
    void stream.reader?.close().catch(() => {})
  }
}
