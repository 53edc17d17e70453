import type { NodeId, RaftStatus } from '../../../protocols/raft/types.ts'

/** A learner this many entries behind, or less, is near enough to vote. */
export const nearEntries = 1_000
/** ... and it must have at least this share of the log. */
export const nearShare = 0.9

/**
 * Which learners have caught up, by the leader's view: near the end of the log and answering, without a break for one election timeout, so that the first
 * entry that needs their vote does not wait (thesis section 4.2.1).
 */
export class CatchUp {
  readonly #steadyMs: number
  /** Since when this leader has known a learner. */
  readonly #learnerSince = new Map<NodeId, number>()
  /** Since when a learner has been near without a break. */
  readonly #nearSince = new Map<NodeId, number>()

  constructor(electionTimeoutMs: number) {
    this.#steadyMs = electionTimeoutMs
  }

  /** Look often: at least a few times in an election timeout. */
  observe(nowMs: number, status: RaftStatus): ReadonlySet<NodeId> {
    const learners = status.configuration.learners ?? []
    const caughtUp = new Set<NodeId>()
    for (const id of this.#nearSince.keys()) if (!learners.includes(id)) this.#nearSince.delete(id)
    for (const id of this.#learnerSince.keys()) if (!learners.includes(id)) this.#learnerSince.delete(id)
    for (const id of learners) {
      if (!this.#learnerSince.has(id)) this.#learnerSince.set(id, nowMs)
      if (!isNear(status, id, nowMs, this.#steadyMs)) {
        this.#nearSince.delete(id)
        continue
      }
      const since = this.#nearSince.get(id) ?? nowMs
      this.#nearSince.set(id, since)
      if (nowMs - since >= this.#steadyMs) caughtUp.add(id)
    }
    return caughtUp
  }

  /** For how long a member has been a learner under this leader; `undefined`: it is none. */
  learnerForMs(id: NodeId, nowMs: number): number | undefined {
    const sinceMs = this.#learnerSince.get(id)
    return sinceMs === undefined ? undefined : Math.round(nowMs - sinceMs)
  }

  reset(): void {
    this.#nearSince.clear()
    this.#learnerSince.clear()
  }
}

function isNear(
  { progress, lastIndex }: RaftStatus,
  id: NodeId,
  nowMs: number,
  silenceMsMax: number,
): boolean {
  const learner = progress.get(id)
  return (
    learner !== undefined &&
    learner.state === 'replicate' &&
    nowMs - learner.lastReplyMs <= silenceMsMax &&
    lastIndex - learner.matchIndex <= nearEntries &&
    learner.matchIndex >= lastIndex * nearShare
  )
}

/** Members that have answered this leader within two election timeouts, itself included. */
export function answering(status: RaftStatus, nowMs: number, electionTimeoutMs: number): ReadonlySet<NodeId> {
  const answered = [...status.progress].filter(
    ([, { lastReplyMs }]) => nowMs - lastReplyMs <= 2 * electionTimeoutMs,
  )
  return new Set([status.id, ...answered.map(([id]) => id)])
}

/** Of those, the ones that take this leader's entries: neither one that has never answered it, nor one that waits for a snapshot. */
export function following(status: RaftStatus, nowMs: number, electionTimeoutMs: number): ReadonlySet<NodeId> {
  const { id: self, progress } = status
  const follows = (id: NodeId): boolean => id === self || (progress.get(id)?.matchIndex ?? 0) > 0
  return new Set([...answering(status, nowMs, electionTimeoutMs)].filter(follows))
}
