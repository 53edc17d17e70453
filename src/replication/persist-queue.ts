import { assert } from '../base/assert.ts'
import type { Clock } from '../contracts/world.ts'
import type { Entry, HardState, Message, RaftEffect } from '../protocols/raft/types.ts'
import type { RaftStorage } from './storage.ts'

type PersistEffect = Extract<RaftEffect, { type: 'persist' }>

export interface PersistQueueOptions {
  readonly storage: RaftStorage
  readonly hardState: HardState
  readonly clock: Clock
  send(message: Message): void
  /** All writes up to `sequence` are durable, and what waited for them has been sent. */
  persisted(sequence: number, tookMs: number): void
  fail(cause: unknown): void
}

interface Write {
  readonly effect: PersistEffect
  /** Of the entries of all the effects in it, those that were overwritten meanwhile included. */
  readonly bytes: number
}

/**
 * Brings a machine's writes to the disk, one write at a time: all that gathers meanwhile becomes the next (group commit). Messages that may leave only after a write
 * wait here for it.
 */
export class PersistQueue {
  readonly #options: PersistQueueOptions
  #effects: PersistEffect[] = []
  #isWriting = false
  #startedMs = 0
  #unwrittenBytes = 0
  #durableSequence = 0
  #held: { readonly message: Message; readonly after: number }[] = []
  #hardState: HardState
  #isClosed = false

  constructor(options: PersistQueueOptions) {
    this.#options = options
    this.#hardState = options.hardState
  }

  /** Of entries queued or being written. A leader's own disk may be slower than a quorum without it, so raft's bound on what is uncommitted does not do. */
  get unwrittenBytes(): number {
    return this.#unwrittenBytes
  }

  /** How long the write under way has been so; 0 for none. */
  writingForMs(nowMs: number): number {
    return this.#isWriting ? nowMs - this.#startedMs : 0
  }

  push(effect: PersistEffect): void {
    this.#effects.push(effect)
    this.#unwrittenBytes += bytesOf(effect.entries)
    this.#writeNext()
  }

  /** Whether the write that the message waits for is durable; otherwise it is sent when it is. */
  mayLeave(message: Message, after: number): boolean {
    if (after <= this.#durableSequence) return true
    this.#held.push({ message, after })
    return false
  }

  close(): void {
    this.#isClosed = true
    this.#effects = []
    this.#held = []
  }

  #writeNext(): void {
    if (this.#isWriting || this.#effects.length === 0) return
    this.#isWriting = true
    this.#startedMs = this.#options.clock.monotonicMs()
    const write = takeWrite(this.#effects)
    this.#hardState = write.effect.hardState ?? this.#hardState
    this.#write(write.effect).then(
      () => this.#written(write),
      (cause: unknown) => this.#options.fail(cause),
    )
  }

  async #write({ snapshot, hardState, entries }: PersistEffect): Promise<void> {
    const { storage } = this.#options
    if (snapshot !== undefined) await storage.resetTo(snapshot, this.#hardState)
    if (snapshot !== undefined && entries.length === 0) return
    await storage.append({ ...(hardState === undefined ? {} : { hardState }), entries })
  }

  #written({ effect: { sequence }, bytes }: Write): void {
    if (this.#isClosed) return
    const tookMs = this.#options.clock.monotonicMs() - this.#startedMs
    this.#isWriting = false
    this.#unwrittenBytes -= bytes
    this.#durableSequence = sequence
    const held = this.#held
    this.#held = []
    for (const { message, after } of held) if (this.mayLeave(message, after)) this.#options.send(message)
    this.#writeNext()
    this.#options.persisted(sequence, tookMs)
  }
}

/** Takes as many effects from the head of the queue as fit in one write. A log that starts anew after a snapshot is a write of its own. */
function takeWrite(queue: PersistEffect[]): Write {
  const first = queue.shift()
  assert(first !== undefined, 'something is to be written')
  let bytes = bytesOf(first.entries)
  if (first.snapshot !== undefined || queue.length === 0) return { effect: first, bytes }
  let { sequence, hardState } = first
  const entries = [...first.entries]
  while (queue.length > 0) {
    const next = queue[0] as PersistEffect
    if (next.snapshot !== undefined) break
    queue.shift()
    sequence = next.sequence
    hardState = next.hardState ?? hardState
    bytes += bytesOf(next.entries)
    appendEntries(entries, next.entries)
  }
  const effect = {
    type: 'persist',
    sequence,
    entries,
    ...(hardState === undefined ? {} : { hardState }),
  } as const
  return { effect, bytes }
}

function bytesOf(entries: readonly Entry[]): number {
  let bytes = 0
  for (const entry of entries) bytes += entry.data.byteLength
  return bytes
}

/** The first of `more` overwrites what has its index and after. */
function appendEntries(entries: Entry[], more: readonly Entry[]): void {
  const first = more[0]
  if (first === undefined) return
  while (entries.length > 0 && (entries[entries.length - 1] as Entry).index >= first.index) entries.pop()
  for (const entry of more) entries.push(entry)
}
