import type { World } from '../../contracts/world.ts'
import type { NodeId } from '../../protocols/raft/types.ts'
import type { RaftGroup } from '../../replication/raft-group.ts'
import type { StoreHost } from '../local/store-host.ts'

/** Why a node should not lead. */
export type Hindrance = 'draining' | 'no-space'

export interface EligibilityOptions {
  readonly world: World
  readonly self: NodeId
  /** Of all groups, as they are now. */
  readonly hosts: () => Iterable<StoreHost>
  readonly isConnected: (peer: NodeId) => boolean
}

const lookEveryMs = 50

/** Whether this node may lead, for all its groups alike: the sum of what speaks against it. */
export class Eligibility {
  readonly #world: World
  readonly #self: NodeId
  readonly #hosts: () => Iterable<StoreHost>
  readonly #isConnected: (peer: NodeId) => boolean
  readonly #hindrances = new Set<Hindrance>()

  constructor(options: EligibilityOptions) {
    this.#world = options.world
    this.#self = options.self
    this.#hosts = options.hosts
    this.#isConnected = options.isConnected
  }

  get hindrances(): ReadonlySet<Hindrance> {
    return this.#hindrances
  }

  set(hindrance: Hindrance, isPresent: boolean): void {
    if (isPresent === this.#hindrances.has(hindrance)) return
    if (isPresent) this.#hindrances.add(hindrance)
    else this.#hindrances.delete(hindrance)
    for (const host of this.#hosts()) this.apply(host)
  }

  /** Also for a group that has come later. */
  apply(host: StoreHost): void {
    host.group.setEligible(this.#hindrances.size === 0)
  }

  /** Groups that this node leads and another voter that can be reached could. */
  get leading(): number {
    let leading = 0
    for (const { group } of this.#hosts()) if (group.role === 'leader' && this.#hasHeir(group)) leading++
    return leading
  }

  /** Hands over all that it leads. Resolves with what it still leads after `withinMs` at most. */
  async drain(withinMs: number): Promise<number> {
    this.set('draining', true)
    const deadlineMs = this.#world.clock.monotonicMs() + withinMs
    while (this.leading > 0 && this.#world.clock.monotonicMs() < deadlineMs)
      await new Promise<void>((resolve) => this.#world.timers.after(lookEveryMs, resolve))
    return this.leading
  }

  #hasHeir({ configuration }: RaftGroup): boolean {
    return configuration.voters.some((id) => id !== this.#self && this.#isConnected(id))
  }
}
