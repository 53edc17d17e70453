import type { Clock } from '../../contracts/world.ts'
import type { NodeId } from '../../protocols/raft/types.ts'

/** How steady the leadership of a group is, as one member sees it. Plain data. */
export interface LeadershipStatus {
  /** Changes of the leader since this member's start; its first leader is one. */
  readonly changesTotal: number
  /** Of those, in the last hour; 100 stands for that many and more. */
  readonly changesLastHour: number
  /** For how long the member has been without a leader, or with this one; absent before the first leader. */
  readonly forMs?: number
}

const hourMs = 3_600_000
const changesMax = 100

/** Remembers when the leader changed. */
export class LeadershipLog {
  readonly #clock: Clock
  readonly #changedMs: number[] = []
  #leader: NodeId = 0
  #lastLeader: NodeId = 0
  #sinceMs: number | undefined
  #total = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** `0`: no leader is known. The same leader after a moment without one is no change. */
  saw(leader: NodeId): void {
    if (leader === this.#leader) return
    const nowMs = this.#clock.monotonicMs()
    this.#leader = leader
    this.#sinceMs = nowMs
    if (leader === 0 || leader === this.#lastLeader) return
    this.#lastLeader = leader
    this.#total++
    this.#changedMs.push(nowMs)
    if (this.#changedMs.length > changesMax) this.#changedMs.shift()
  }

  status(): LeadershipStatus {
    const nowMs = this.#clock.monotonicMs()
    return {
      changesTotal: this.#total,
      changesLastHour: this.#changedMs.filter((atMs) => nowMs - atMs <= hourMs).length,
      ...(this.#sinceMs === undefined ? {} : { forMs: Math.round(nowMs - this.#sinceMs) }),
    }
  }
}
