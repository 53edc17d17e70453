import { asAlthingError } from '../../../contracts/errors.ts'
import type { Timer, World } from '../../../contracts/world.ts'
import type { NodeId } from '../../../protocols/raft/types.ts'
import type { CalledNode } from '../operator-links.ts'
import { checkGroup } from './check-group.ts'
import { faultyReplicas, isSound, type ReplicaComparison } from './compare-replicas.ts'
import type { CheckedGroup } from './replica-calls.ts'

/** How the last comparison of a group's copies went, as the node that made it knows. */
export interface ReplicaCheckStatus {
  readonly group: number
  readonly name: string
  /** Milliseconds since 1970. */
  readonly atMs: number
  readonly isSound: boolean
  /** Nodes whose copies were found to differ or to be damaged. */
  readonly faulty: readonly number[]
  /** Why the copies could not be compared; the rest is then of no meaning. */
  readonly problem?: string
}

export interface ReplicaCheckerOptions {
  readonly world: World
  /** From one comparison of a group's copies to the next, at the node that leads it. */
  readonly everyMs: number
  /** From the start of the node to its first, whether it leads or not (default 10 s). */
  readonly firstMs?: number
  groups(): readonly CheckedGroup[]
  /** The nodes that have a copy of the group. */
  replicas(group: number): readonly NodeId[]
  /** Operator calls at another node, or at this one. */
  callsOf(node: NodeId): CalledNode
}

const firstMsDefault = 10_000

/**
 * Compares the copies of groups in the background: those that this node leads every so often, and all of its groups once after it has started. A node whose copy is
 * found faulty, while most copies are sound, is stopped with `corrupt`: what it would answer is wrong.
 */
export class ReplicaChecker {
  readonly #options: ReplicaCheckerOptions
  readonly #results = new Map<number, ReplicaCheckStatus>()
  #timer: Timer | undefined
  #isFirst = true
  #isClosed = false

  constructor(options: ReplicaCheckerOptions) {
    this.#options = options
    this.#arm(options.firstMs ?? firstMsDefault)
  }

  /** Of the groups that this node has compared, and still has a copy of. */
  get results(): readonly ReplicaCheckStatus[] {
    const here = this.#here()
    return [...this.#results.values()].filter(({ group }) => here.has(group))
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
  }

  #arm(delayMs: number): void {
    if (!this.#isClosed) this.#timer = this.#options.world.timers.after(delayMs, () => void this.#checkAll())
  }

  async #checkAll(): Promise<void> {
    const isFirst = this.#isFirst
    this.#isFirst = false
    for (const group of this.#options.groups()) {
      if (this.#isClosed) return
      if (isFirst || group.host.group.isLeaderReady) await this.#check(group)
    }
    this.#arm(this.#options.everyMs)
  }

  async #check(checked: CheckedGroup): Promise<void> {
    const { world, replicas, callsOf } = this.#options
    const { group, name, host } = checked
    try {
      const comparison = await checkGroup({
        world,
        group,
        name,
        leader: callsOf(host.group.leader),
        replicas: replicas(group).map((node) => ({ node, call: callsOf(node) })),
        stopsFaulty: true,
      })
      this.#finished(comparison)
    } catch (error) {
      const problem = asAlthingError(error).message
      this.#note({ group, name, isSound: true, faulty: [], problem })
      world.logger.log('info', 'the copies of a group could not be compared', { group, problem })
    }
  }

  #finished(comparison: ReplicaComparison): void {
    const { group, name, index, replicas } = comparison
    const faulty = faultyReplicas(comparison).map(({ node }) => node)
    this.#note({ group, name, isSound: isSound(comparison), faulty })
    if (isSound(comparison)) return
    const hashes = replicas.map(({ node, verdict, hash }) => `${node}: ${verdict} ${hash?.hash ?? ''}`)
    this.#options.world.logger.log('error', 'copies of a group differ', { group, index, faulty, hashes })
  }

  #note(result: Omit<ReplicaCheckStatus, 'atMs'>): void {
    const atMs = Math.round(this.#options.world.clock.wallMs())
    this.#results.set(result.group, { ...result, atMs })
    const here = this.#here()
    for (const group of this.#results.keys()) if (!here.has(group)) this.#results.delete(group)
  }

  #here(): ReadonlySet<number> {
    return new Set(this.#options.groups().map(({ group }) => group))
  }
}
