import type { World } from '../../../contracts/world.ts'
import type { NodeId } from '../../../protocols/raft/types.ts'
import type { GroupId } from '../../../replication/group-id.ts'
import type { RaftGroup } from '../../../replication/raft-group.ts'

export interface LeaderSpreadOptions {
  readonly world: World
  readonly self: NodeId
  isConnected(peer: NodeId): boolean
  /** For so long without a break the member that should lead must have been connected and near the end of the log (default 5000). */
  readonly stableMs?: number
}

/** Entries that it may be behind. */
const nearEntries = 100
const stableMsDefault = 5_000
/** A hand-over that was not taken is offered again after this, twice as long each time ... */
const againMs = 10_000
/** ... but at least so often. */
const againMsMax = 300_000

interface Offer {
  readonly atMs: number
  readonly waitMs: number
}

/**
 * Hands groups that this node leads to the members that should lead them, at most one at each look, and only to a member that has been well for a while:
 * a member that comes and goes gets nothing.
 */
export class LeaderSpread {
  readonly #options: LeaderSpreadOptions
  /** Since when the member that should lead has been fit to. */
  readonly #fitSince = new Map<GroupId, { readonly member: NodeId; readonly sinceMs: number }>()
  readonly #offers = new Map<GroupId, Offer>()
  #hasHandedOver = false

  constructor(options: LeaderSpreadOptions) {
    this.#options = options
  }

  /** A new look begins. */
  tick(): void {
    this.#hasHandedOver = false
  }

  /** This node leads the group. */
  consider(id: GroupId, group: RaftGroup, preferred: NodeId): void {
    const { self, world, stableMs = stableMsDefault } = this.#options
    if (preferred === self || preferred === 0) {
      this.#fitSince.delete(id)
      this.#offers.delete(id)
      return
    }
    const nowMs = world.clock.monotonicMs()
    if (!this.#isFit(group, preferred)) {
      this.#fitSince.delete(id)
      return
    }
    const known = this.#fitSince.get(id)
    if (known?.member !== preferred) {
      this.#fitSince.set(id, { member: preferred, sinceMs: nowMs })
      return
    }
    if (nowMs - known.sinceMs < stableMs || this.#hasHandedOver || !this.#mayOffer(id, nowMs)) return
    this.#hasHandedOver = true
    const before = this.#offers.get(id)
    this.#offers.set(id, { atMs: nowMs, waitMs: Math.min(againMsMax, (before?.waitMs ?? againMs / 2) * 2) })
    world.logger.log('info', 'handing a group to the member that should lead it', {
      group: id,
      to: preferred,
    })
    group.transferLeadership(preferred)
  }

  #mayOffer(id: GroupId, nowMs: number): boolean {
    const offer = this.#offers.get(id)
    return offer === undefined || nowMs - offer.atMs >= offer.waitMs
  }

  #isFit(group: RaftGroup, member: NodeId): boolean {
    if (!this.#options.isConnected(member)) return false
    const { progress, lastIndex, configuration } = group.status()
    const follower = progress.get(member)
    return (
      configuration.voters.includes(member) &&
      follower?.state === 'replicate' &&
      lastIndex - follower.matchIndex <= nearEntries
    )
  }
}
