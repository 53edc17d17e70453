import { isJoint } from '../../protocols/raft/configuration.ts'
import type { NodeId } from '../../protocols/raft/types.ts'
import type { SimulatedProcess } from '../world/simulated-process.ts'
import type { SurvivabilityRule } from '../world/survivability.ts'
import type { StoreCluster } from './store-cluster.ts'

/**
 * How many disks may be lost: any node may stop, for it comes back with what it had written, but of the voters of each group a minority at most may be out for good; and none
 * while who votes is being changed, for then nobody can say which minority it is.
 */
export class Survival implements SurvivabilityRule {
  readonly #cluster: StoreCluster
  readonly #nowMs: () => number
  /** Ends of the times in which no disk may be lost. */
  readonly #quiet = new Set<{ readonly untilMs: number }>()

  constructor(cluster: StoreCluster, nowMs: () => number) {
    this.#cluster = cluster
    this.#nowMs = nowMs
  }

  mayStop(): boolean {
    return true
  }

  mayDamage(candidate: SimulatedProcess): boolean {
    const id = this.#cluster.idOf(candidate)
    // On a disk that was exchanged there is nothing that its node had promised.
    return !this.#cluster.isOut(id) && this.mayLose(id)
  }

  mayLose(id: NodeId): boolean {
    const { groups, records } = this.#cluster
    if (this.#isQuiet || records.isChanging) return false
    for (const { configuration } of groups.values()) {
      if (isJoint(configuration)) return false
      const { voters } = configuration
      const lost = voters.filter((voter) => voter === id || this.#cluster.isOut(voter))
      if (voters.includes(id) && lost.length * 2 >= voters.length) return false
    }
    return true
  }

  /** Without this voter the others could decide, even if none of those that are out came back. */
  mayLeave(id: NodeId): boolean {
    const { voters } = this.#cluster.own.configuration
    const left = voters.filter((voter) => voter !== id)
    const healthy = left.filter((voter) => !this.#cluster.isOut(voter))
    return left.length > 0 && healthy.length * 2 > left.length
  }

  /**
   * A change of members is asked for: as long as nobody knows whether and when it comes no disk may be lost. To be ended by the function returned once it is known; else
   * it lasts for so long.
   */
  keepQuiet(forMs: number): () => void {
    const quiet = { untilMs: this.#nowMs() + forMs }
    this.#quiet.add(quiet)
    return () => this.#quiet.delete(quiet)
  }

  get #isQuiet(): boolean {
    const nowMs = this.#nowMs()
    return [...this.#quiet].some(({ untilMs }) => nowMs < untilMs)
  }
}
