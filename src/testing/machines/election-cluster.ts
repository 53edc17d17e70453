import { Bully, type BullyMessage } from '../../protocols/election/bully.ts'
import { RingElection, type RingMessage } from '../../protocols/election/ring.ts'
import type { ElectionEvent, ElectionMachine, NodeId } from '../../protocols/election/types.ts'
import type { SeededRandom } from '../world/seeded-random.ts'
import { MessageNetwork } from './message-network.ts'

export const electionAlgorithms = ['bully', 'ring'] as const
export type ElectionAlgorithm = (typeof electionAlgorithms)[number]

type AnyMessage = BullyMessage | RingMessage

/** What one node has said of itself. */
export interface LeaderChange {
  readonly timeMs: number
  readonly node: NodeId
  readonly isLeader: boolean
  readonly term: number
}

export interface ElectionClusterOptions {
  readonly algorithm: ElectionAlgorithm
  readonly random: SeededRandom
  readonly members: readonly NodeId[]
  /** What the machines take for granted; the network keeps to it unless told otherwise. */
  readonly delayMsMax: number
  readonly heartbeatMs: number
  /** Shortest time that a message takes. Default 0. */
  readonly delayMsMin?: number
}

interface Node {
  machine: ElectionMachine<AnyMessage> | undefined
  cancel: () => void
}

/** Nodes of one election machine on a {@link MessageNetwork}. */
export class ElectionCluster {
  readonly network: MessageNetwork<AnyMessage>
  readonly changes: LeaderChange[] = []
  readonly #options: ElectionClusterOptions
  readonly #nodes = new Map<NodeId, Node>()
  readonly #leaders = new Map<NodeId, number>()
  /** What the nodes have on their disks. */
  readonly #terms = new Map<NodeId, number>()

  constructor(options: ElectionClusterOptions) {
    this.#options = options
    const { delayMsMax, delayMsMin = 0 } = options
    // A message that takes as long as it may is still in time for the timer that waits for it.
    const conditions = { delayMsMin, delayMsMax: delayMsMax * 0.99, lossShare: 0, doubleShare: 0 }
    this.network = new MessageNetwork(options.random, conditions, (message) =>
      this.#step(message.to, { type: 'receive', message }),
    )
    for (const member of options.members) this.#nodes.set(member, { machine: undefined, cancel: () => {} })
  }

  /** Nodes that lead now, by their own account, with their terms. */
  get leaders(): ReadonlyMap<NodeId, number> {
    return this.#leaders
  }

  get up(): readonly NodeId[] {
    return [...this.#nodes].filter(([, { machine }]) => machine !== undefined).map(([id]) => id)
  }

  machine(id: NodeId): ElectionMachine<AnyMessage> | undefined {
    return this.#nodes.get(id)?.machine
  }

  /** As a process that remembers nothing but the last term that it led in. */
  start(id: NodeId, { eligible = true, electsAtStart = true } = {}): void {
    const node = this.#nodes.get(id)
    if (node === undefined || node.machine !== undefined) return
    const { algorithm, members, delayMsMax, heartbeatMs } = this.#options
    const options = {
      id,
      members,
      delayMsMax,
      heartbeatMs,
      eligible,
      electsAtStart,
      term: this.#terms.get(id) ?? 0,
    }
    const { nowMs } = this.network
    node.machine =
      algorithm === 'bully'
        ? (new Bully(options, nowMs) as ElectionMachine<AnyMessage>)
        : (new RingElection(options, nowMs) as ElectionMachine<AnyMessage>)
    this.#setTimer(id, node)
  }

  crash(id: NodeId): void {
    const node = this.#nodes.get(id)
    if (node?.machine === undefined) return
    node.machine = undefined
    node.cancel()
    this.#setLeader(id, false, 0)
  }

  suspect(id: NodeId): void {
    this.#step(id, { type: 'suspect' })
  }

  setEligible(id: NodeId, eligible: boolean): void {
    this.#step(id, { type: 'setEligible', eligible })
  }

  /** Whether all that are up follow the greatest of them, in one term. */
  get hasAgreed(): boolean {
    const { up } = this
    const greatest = Math.max(...up)
    const term = this.machine(greatest)?.state.term
    return up.every((id) => {
      const state = this.machine(id)?.state
      return state?.leader === greatest && state.term === term
    })
  }

  #step(id: NodeId, event: ElectionEvent<AnyMessage>): void {
    const node = this.#nodes.get(id)
    if (node?.machine === undefined) return
    for (const effect of node.machine.step(event, this.network.nowMs)) {
      if (effect.type === 'send') this.network.send(effect.message, kindOf(effect.message))
      else if (effect.type === 'stateChanged') this.#setLeader(id, effect.role === 'leader', effect.term)
    }
    this.#setTimer(id, node)
  }

  #setTimer(id: NodeId, node: Node): void {
    node.cancel()
    const atMs = node.machine?.nextDeadlineMs ?? Number.POSITIVE_INFINITY
    if (atMs === Number.POSITIVE_INFINITY) return
    node.cancel = this.network.after(atMs - this.network.nowMs, () => this.#step(id, { type: 'tick' }))
  }

  #setLeader(id: NodeId, isLeader: boolean, term: number): void {
    if (isLeader ? this.#leaders.get(id) === term : !this.#leaders.has(id)) return
    this.changes.push({ timeMs: this.network.nowMs, node: id, isLeader, term })
    if (isLeader) {
      this.#leaders.set(id, term)
      this.#terms.set(id, term)
    } else this.#leaders.delete(id)
  }
}

function kindOf(message: AnyMessage): string {
  return message.type === 'pass' ? message.token.type : message.type
}
