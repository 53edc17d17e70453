import { assert } from '../base/assert.ts'
import { IndexWindow } from '../base/index-window.ts'
import { AlthingError, withOutcome } from '../contracts/errors.ts'
import type { Entry, NodeId, RaftEffect } from '../protocols/raft/types.ts'

export type ProposalResult =
  | { readonly ok: true; readonly reply: unknown; readonly index: number }
  | { readonly ok: false; readonly error: AlthingError }

export type ProposalCallback = (result: ProposalResult) => void

type DropReason = Extract<RaftEffect, { type: 'proposalsDropped' }>['reason']

export interface Proposal {
  readonly data: Uint8Array
  readonly hint: unknown
  readonly done: ProposalCallback
  /** Of its entry; 0 until it is in the log. */
  term: number
}

/** The commands that were proposed on this node, from the call to the answer: waiting for their turn, given to the machine, in the log. */
export class Proposals {
  readonly #waitingMax: number
  readonly #unwrittenBytesMax: number
  #waiting: Proposal[] = []
  #waitingBytes = 0
  readonly #batches = new IndexWindow<readonly Proposal[]>()
  readonly #inLog = new IndexWindow<Proposal>()

  /** Bounds of the number that waits, and of the bytes that wait or are not yet on this node's disk. */
  constructor(waitingMax: number, unwrittenBytesMax: number) {
    this.#waitingMax = waitingMax
    this.#unwrittenBytesMax = unwrittenBytesMax
  }

  get hasWaiting(): boolean {
    return this.#waiting.length > 0
  }

  /** Returns whether it was taken; one that was not has been answered. */
  add(data: Uint8Array, hint: unknown, done: ProposalCallback, diskBytes: number): boolean {
    const unwrittenBytes = this.#waitingBytes + diskBytes
    if (this.#waiting.length >= this.#waitingMax || unwrittenBytes > this.#unwrittenBytesMax) {
      const problem = `${this.#waiting.length} commands wait to enter the log, ${unwrittenBytes} bytes wait for the disk`
      done({ ok: false, error: new AlthingError('overloaded', problem, { outcome: 'none' }) })
      return false
    }
    this.#waiting.push({ data, hint, done, term: 0 })
    this.#waitingBytes += data.byteLength
    return true
  }

  /** All that waits becomes one batch, numbered `id`. */
  takeBatch(id: number): Uint8Array[] {
    const proposals = this.#waiting
    this.#waiting = []
    this.#waitingBytes = 0
    this.#batches.set(id, proposals)
    return proposals.map(({ data }) => data)
  }

  appended(id: number, firstIndex: number, term: number, count: number): void {
    const proposals = this.#batches.take(id)
    assert(proposals !== undefined && proposals.length === count, 'a batch enters the log whole', {
      id,
      count,
    })
    let index = firstIndex
    for (const proposal of proposals) {
      proposal.term = term
      this.#inLog.set(index++, proposal)
    }
  }

  dropped(id: number, reason: DropReason, leader: NodeId): void {
    const proposals = this.#batches.take(id) ?? []
    const error = droppedError(reason, leader)
    for (const proposal of proposals) proposal.done({ ok: false, error })
  }

  /** The proposal that is waiting for the entry's index; only if its term is the entry's too it is the entry's own. */
  at({ index }: Entry): Proposal | undefined {
    return this.#inLog.get(index)
  }

  /** The entry at the index of `proposal` has been applied. */
  applied(proposal: Proposal, { index, term }: Entry, reply: unknown): void {
    this.#inLog.take(index)
    if (proposal.term === term) proposal.done({ ok: true, reply, index })
    else proposal.done({ ok: false, error: overwritten(index) })
  }

  leadershipLost(): void {
    const error = new AlthingError(
      'unavailable',
      'leadership was lost before the command was known to be committed',
      { outcome: 'unknown' },
    )
    const proposals = [...this.#inLog.values()]
    this.#inLog.clear()
    for (const { done } of proposals) done({ ok: false, error })
  }

  /** Nothing will be answered any more: what is in the log may yet be applied, the rest will not. */
  failAll(error: AlthingError): void {
    const notInLog = [...this.#waiting, ...[...this.#batches.values()].flat()]
    const inLog = [...this.#inLog.values()]
    this.#waiting = []
    this.#waitingBytes = 0
    this.#batches.clear()
    this.#inLog.clear()
    for (const { done } of inLog) done({ ok: false, error })
    for (const { done } of notInLog) done({ ok: false, error: withOutcome(error, 'none') })
  }
}

function droppedError(reason: DropReason, leader: NodeId): AlthingError {
  if (reason === 'overloaded') {
    return new AlthingError('overloaded', 'too many bytes of commands are not yet committed', {
      outcome: 'none',
    })
  }
  const problem = reason === 'transferring' ? 'leadership is being handed over' : 'this node does not lead'
  return new AlthingError('unavailable', problem, { outcome: 'none', details: { leader } })
}

function overwritten(index: number): AlthingError {
  const problem = `another leader's command took the place of this one in the log (index ${index})`
  return new AlthingError('unavailable', problem, { outcome: 'none' })
}
