import { assert } from '../../base/assert.ts'
import type { Core } from './core.ts'
import { entryBytes } from './log.ts'
import type { Progress } from './progress.ts'
import type { Entry, Message } from './types.ts'

type AppendEntriesReply = Extract<Message, { type: 'appendEntriesReply' }>

const noEntries: readonly Entry[] = []

/** The leader's side of log replication: what to send to a follower next (paper section 5.3, thesis section 10.2). */
export class Replicator {
  readonly #core: Core
  #round = 0

  constructor(core: Core) {
    this.#core = core
  }

  get round(): number {
    return this.#round
  }

  beginRound(): number {
    return ++this.#round
  }

  /** Sends what the follower lacks, as much as its window takes. */
  replicate(peer: Progress): void {
    while (peer.isOpen && peer.nextIndex <= this.#core.log.lastIndex) {
      const prevLogTerm = this.#core.log.term(peer.nextIndex - 1)
      if (prevLogTerm === undefined) {
        this.#startSnapshot(peer)
        return
      }
      const { log, options } = this.#core
      const entries = log.entries(peer.nextIndex, log.lastIndex, options.messageBytesMax)
      this.#send(peer, peer.nextIndex - 1, prevLogTerm, entries)
      let bytes = 0
      for (const entry of entries) bytes += entryBytes(entry)
      peer.sent(peer.nextIndex + entries.length - 1, bytes)
    }
  }

  /** Without entries, so that the answer waits for no disk; a probe that is about to leave is heartbeat enough. */
  heartbeat(peer: Progress): void {
    const prevLogIndex = peer.nextIndex - 1
    const prevLogTerm = peer.state === 'snapshot' ? undefined : this.#core.log.term(prevLogIndex)
    if (prevLogTerm !== undefined) {
      const hasProbe = peer.state === 'probe' && peer.isOpen && prevLogIndex < this.#core.log.lastIndex
      if (!hasProbe) this.#send(peer, prevLogIndex, prevLogTerm, noEntries)
      this.replicate(peer)
      return
    }
    // Where the log does not reach back to, the place before its beginning, on which all agree, stands in.
    this.#send(peer, 0, 0, noEntries)
    // However full its window: what the log has lost was either lost on the way too, or is not enough to go on from.
    if (peer.state !== 'snapshot') this.#startSnapshot(peer)
  }

  /** Tells a follower that has everything, or will have it soon, of a new commit index. */
  announce(peer: Progress): void {
    if (peer.state !== 'replicate') return
    const prevLogIndex = peer.nextIndex - 1
    const prevLogTerm = this.#core.log.term(prevLogIndex)
    if (prevLogTerm !== undefined) this.#send(peer, prevLogIndex, prevLogTerm, noEntries)
  }

  /** The follower's durable log equals this one up to `index`. Returns whether that was news. */
  matched(peer: Progress, index: number): boolean {
    assert(index <= this.#core.log.lastIndex, 'a follower has nothing that its leader has not', {
      follower: peer.id,
      matchIndex: index,
      lastIndex: this.#core.log.lastIndex,
    })
    const isNews = peer.matched(index)
    if (isNews) peer.matchedRound = this.#round
    if (peer.state === 'snapshot' && this.#core.log.term(peer.matchIndex) !== undefined) {
      peer.leaveSnapshot(peer.matchIndex)
      this.#core.emit({ type: 'cancelSnapshot', to: peer.id })
    }
    return isNews
  }

  /** Goes back, past a whole term at a time (paper section 5.3, end). */
  refused(peer: Progress, message: AppendEntriesReply): void {
    this.#noticeLostData(peer, message)
    if (!peer.isCurrentRefusal(message.rejectedIndex)) return
    peer.becomeProbe(Math.min(this.#resumeIndex(message), message.rejectedIndex))
    this.replicate(peer)
  }

  /** What a follower had called durable is not in its log any more: it can never be brought up to date under its number. */
  #noticeLostData(peer: Progress, { rejectedIndex, round }: AppendEntriesReply): void {
    if (peer.hasLostData || rejectedIndex > peer.matchIndex || round <= peer.matchedRound) return
    peer.hasLostData = true
    this.#core.emit({ type: 'peerLostData', peer: peer.id, matchIndex: peer.matchIndex })
  }

  #resumeIndex({ conflictTerm, conflictIndex, rejectedIndex }: AppendEntriesReply): number {
    if (conflictTerm === 0) return conflictIndex
    // After the last entry of that term, if this log has the term before the place refused; else before the follower's first of it.
    const log = this.#core.log
    const afterTerm = log.firstIndexOfTerm(conflictTerm + 1)
    const hasTerm = afterTerm <= rejectedIndex && log.term(afterTerm - 1) === conflictTerm
    return hasTerm ? Math.max(afterTerm, conflictIndex) : conflictIndex
  }

  /** Only to a follower that answers: the others would make the transfers fail one after the other. */
  #startSnapshot(peer: Progress): void {
    const { nowMs, options } = this.#core
    if (nowMs - peer.lastReplyMs >= options.electionTimeoutMs) return
    peer.becomeSnapshot()
    this.#core.emit({ type: 'sendSnapshot', to: peer.id })
  }

  #send(peer: Progress, prevLogIndex: number, prevLogTerm: number, entries: readonly Entry[]): void {
    peer.toldCommit(Math.min(this.#core.commitIndex, prevLogIndex + entries.length))
    this.#core.send(peer.id, {
      type: 'appendEntries',
      prevLogIndex,
      prevLogTerm,
      entries,
      leaderCommit: this.#core.commitIndex,
      round: this.#round,
    })
  }
}
