import { assert } from '../../base/assert.ts'
import { membersOf } from './configuration.ts'
import type { Core } from './core.ts'
import { Progress } from './progress.ts'
import type { NodeId } from './types.ts'

/**
 * Everyone that a leader replicates to: the voters and learners of the configuration in use, and for a while those who just left it, so that they learn that
 * they have, instead of campaigning.
 */
export class Peers {
  readonly #core: Core
  readonly #progress = new Map<NodeId, Progress>()
  /** Of the configuration in use. */
  #members: readonly NodeId[] = []
  /** When those who left are forgotten; `Infinity` while the configuration without them is not committed. */
  #departureMs = Number.POSITIVE_INFINITY

  constructor(core: Core) {
    this.#core = core
    this.#add(core.log.lastIndex + 1, 0)
  }

  get all(): ReadonlyMap<NodeId, Progress> {
    return this.#progress
  }

  get(id: NodeId): Progress | undefined {
    return this.#progress.get(id)
  }

  values(): IterableIterator<Progress> {
    return this.#progress.values()
  }

  /**
   * The configuration in use has changed: its entry is the last of the log. Newcomers are asked first whether they can take just that, in `round`, which is about to
   * begin. Returns whether there are any.
   */
  configurationChanged(round: number): boolean {
    this.#departureMs = Number.POSITIVE_INFINITY
    return this.#add(this.#core.log.lastIndex, round)
  }

  /** The configuration in use is committed: those who left are told so for an election timeout, and no longer. */
  configurationCommitted(): void {
    this.#departureMs = this.#core.nowMs + this.#core.options.electionTimeoutMs
  }

  dropDeparted(): void {
    if (this.#core.nowMs < this.#departureMs) return
    this.#departureMs = Number.POSITIVE_INFINITY
    for (const id of [...this.#progress.keys()]) if (!this.#members.includes(id)) this.#forget(id)
  }

  /** The voter that would have the least to catch up with, of those that answer; `undefined` when none does. */
  mostAdvancedVoter(): Progress | undefined {
    const { configuration, nowMs, options } = this.#core
    let best: Progress | undefined
    for (const voter of configuration.voters) {
      const peer = this.#progress.get(voter)
      if (peer === undefined || nowMs - peer.lastReplyMs >= options.electionTimeoutMs) continue
      if (best === undefined || peer.matchIndex > best.matchIndex) best = peer
    }
    return best
  }

  // The leader counts itself too, where it is a voter: what is on its own disk, and that it speaks now.
  readonly matchIndexOf = (id: NodeId): number =>
    id === this.#core.id ? this.#core.durability.persistedIndex : this.#voter(id).matchIndex

  readonly lastReplyMsOf = (id: NodeId): number =>
    id === this.#core.id ? this.#core.nowMs : this.#voter(id).lastReplyMs

  readonly ackedRoundOf = (id: NodeId): number =>
    id === this.#core.id ? Number.POSITIVE_INFINITY : this.#voter(id).ackedRound

  /** Nothing is known of newcomers, even of one that has just left: it may have given up its log. */
  #add(nextIndex: number, round: number): boolean {
    const { configuration, id: self, nowMs, options } = this.#core
    const before = this.#members
    this.#members = membersOf(configuration)
    const newcomers = this.#members.filter((id) => id !== self && !before.includes(id))
    for (const id of newcomers) {
      this.#forget(id)
      this.#progress.set(id, new Progress(id, nextIndex, round, nowMs, options))
    }
    return newcomers.length > 0
  }

  #forget(id: NodeId): void {
    if (this.#progress.get(id)?.state === 'snapshot') this.#core.emit({ type: 'cancelSnapshot', to: id })
    this.#progress.delete(id)
  }

  #voter(id: NodeId): Progress {
    const peer = this.#progress.get(id)
    assert(peer !== undefined, 'every other voter has a progress', { id })
    return peer
  }
}
