import { assert } from '../../base/assert.ts'
import { Inflights } from './inflights.ts'
import type { NodeId, ProgressStatus, RaftOptions } from './types.ts'

/**
 * What a leader knows of one follower. Always `0 <= matchIndex < nextIndex`.
 *
 *     probe ── accepted ──> replicate        probe: one message at a time, to find where the logs agree
 *       ^  <── refused ───     │             replicate: messages are sent ahead of their replies
 *       │                      │             snapshot: nothing but heartbeats until the snapshot is there
 *       └──── snapshot <── log was cut ──┘
 */
export class Progress implements ProgressStatus {
  readonly id: NodeId
  /**
   * The first round of this leader that the follower could hear. An answer to an earlier one is from before it left, and may speak of a log that it has given up
   * since.
   */
  readonly firstRound: number
  #state: ProgressStatus['state'] = 'probe'
  #matchIndex = 0
  #nextIndex: number
  #isProbing = false
  #toldCommitIndex = 0
  readonly #inflights: Inflights
  /** When the last reply of this leader's term came. */
  lastReplyMs: number
  /** The newest round that the follower has echoed. */
  ackedRound = 0
  /** The newest round when the match index last went on: a refusal of what matches, in answer to a later one, comes after it. */
  matchedRound = 0
  hasLostData = false

  constructor(id: NodeId, nextIndex: number, firstRound: number, nowMs: number, options: RaftOptions) {
    this.id = id
    this.firstRound = firstRound
    this.#nextIndex = nextIndex
    this.lastReplyMs = nowMs
    this.#inflights = new Inflights(options.inflightMessagesMax, options.inflightBytesMax)
  }

  get state(): ProgressStatus['state'] {
    return this.#state
  }

  get matchIndex(): number {
    return this.#matchIndex
  }

  get nextIndex(): number {
    return this.#nextIndex
  }

  /** The newest commit index in a message that has left, as far as its entries went. Whether it has arrived is not known. */
  get toldCommitIndex(): number {
    return this.#toldCommitIndex
  }

  get inflightMessages(): number {
    return this.#inflights.count
  }

  /** Entries may be sent now. */
  get isOpen(): boolean {
    if (this.#state === 'probe') return !this.#isProbing
    return this.#state === 'replicate' && !this.#inflights.isFull
  }

  /** Entries up to and with `lastIndex` have been sent from `nextIndex` on. */
  sent(lastIndex: number, bytes: number): void {
    assert(this.isOpen && lastIndex >= this.#nextIndex, 'sends in order', {
      lastIndex,
      next: this.#nextIndex,
    })
    if (this.#state === 'probe') {
      this.#isProbing = true
      return
    }
    this.#nextIndex = lastIndex + 1
    this.#inflights.add(lastIndex, bytes)
  }

  toldCommit(index: number): void {
    this.#toldCommitIndex = Math.max(this.#toldCommitIndex, index)
  }

  /** The follower's durable log equals the leader's up to `index`. Returns whether that was news. */
  matched(index: number): boolean {
    // A late reply, from before the probe went elsewhere, does not settle the probe.
    if (this.#state === 'probe' && index >= this.#nextIndex - 1) this.#becomeReplicate(index)
    if (index <= this.#matchIndex) return false
    this.#matchIndex = index
    this.#nextIndex = Math.max(this.#nextIndex, index + 1)
    this.#inflights.freeThrough(index)
    return true
  }

  /** Whether a refusal of entries after `rejectedIndex` still says something. */
  isCurrentRefusal(rejectedIndex: number): boolean {
    if (this.#state === 'probe') return rejectedIndex === this.#nextIndex - 1
    return this.#state === 'replicate' && rejectedIndex > this.#matchIndex
  }

  /** Finds out anew where the logs agree, starting at `nextIndex` (raised to what is known to match). */
  becomeProbe(nextIndex: number = this.#matchIndex + 1): void {
    this.#state = 'probe'
    this.#toldCommitIndex = 0
    this.#nextIndex = Math.max(nextIndex, this.#matchIndex + 1)
    this.#isProbing = false
    this.#inflights.clear()
  }

  becomeSnapshot(): void {
    this.#state = 'snapshot'
    this.#inflights.clear()
  }

  /** The snapshot at `index`, or the entries up to it, are durable there. */
  leaveSnapshot(index: number): void {
    this.becomeProbe(index + 1)
    this.matched(index)
  }

  #becomeReplicate(index: number): void {
    this.#state = 'replicate'
    this.#nextIndex = Math.max(this.#matchIndex, index) + 1
    this.#inflights.clear()
  }
}
