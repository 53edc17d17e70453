import type { Timer, World } from '../../contracts/world.ts'
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
  readonly electionTimeoutMs: number
  /** Looks anew how much room the disk has. */
  readonly lookAtSpace: () => void
}

/** How often the room on the disk is looked at: others use it too, and a group that rests never asks for any. */
const spaceEveryMs = 1_000
/** Election timeouts without a leader after which a node without room stands for it all the same. */
const patience = 4
/** For so long it leads then, before it looks again for another one that could. */
const standInMs = 60_000

const lookEveryMs = 50

/** Whether this node may lead, for all its groups alike: the sum of what speaks against it. */
export class Eligibility {
  readonly #world: World
  readonly #self: NodeId
  readonly #hosts: () => Iterable<StoreHost>
  readonly #isConnected: (peer: NodeId) => boolean
  readonly #electionTimeoutMs: number
  readonly #lookAtSpace: () => void
  readonly #hindrances = new Set<Hindrance>()
  /** Since when each group has no leader that this node knows. */
  readonly #leaderlessMs = new WeakMap<StoreHost, number>()
  /** Since when this node may lead in spite of its disk. */
  readonly #standsInMs = new WeakMap<StoreHost, number>()
  #timer: Timer | undefined
  #lookedMs = Number.NEGATIVE_INFINITY
  #isClosed = false

  constructor(options: EligibilityOptions) {
    this.#world = options.world
    this.#self = options.self
    this.#hosts = options.hosts
    this.#isConnected = options.isConnected
    this.#electionTimeoutMs = options.electionTimeoutMs
    this.#lookAtSpace = options.lookAtSpace
  }

  start(): void {
    if (this.#isClosed) return
    this.#timer = this.#world.timers.after(this.#electionTimeoutMs, () => {
      this.#tick()
      this.start()
    })
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
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
    const isAble = this.#hindrances.size === 0 || (this.#isFullOnly && this.#standsInMs.has(host))
    host.group.setEligible(isAble)
  }

  get #isFullOnly(): boolean {
    return this.#hindrances.size === 1 && this.#hindrances.has('no-space')
  }

  #tick(): void {
    const nowMs = this.#world.clock.monotonicMs()
    if (nowMs - this.#lookedMs >= spaceEveryMs) {
      this.#lookedMs = nowMs
      this.#lookAtSpace()
    }
    for (const host of this.#hosts()) this.#considerStandIn(host, nowMs)
  }

  /**
   * Where no member with room can be elected (its log is behind, or there is none), a group without a leader would serve not even the deletes that make
   * room.
   */
  #considerStandIn(host: StoreHost, nowMs: number): void {
    const { leader } = host.group
    if (leader !== 0) this.#leaderlessMs.delete(host)
    const standsInMs = this.#standsInMs.get(host)
    if (standsInMs !== undefined) {
      const isOther = leader !== 0 && leader !== this.#self
      if (this.#isFullOnly && !isOther && nowMs - standsInMs < standInMs) return
      this.#standsInMs.delete(host)
      this.apply(host)
      return
    }
    if (leader !== 0 || !this.#isFullOnly) return
    const sinceMs = this.#leaderlessMs.get(host) ?? nowMs
    this.#leaderlessMs.set(host, sinceMs)
    if (nowMs - sinceMs < patience * this.#electionTimeoutMs) return
    this.#standsInMs.set(host, nowMs)
    this.apply(host)
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
