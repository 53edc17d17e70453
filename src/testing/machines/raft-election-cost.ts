import { RaftElection } from '../../protocols/election/raft-election.ts'
import type { ElectionEvent, NodeId } from '../../protocols/election/types.ts'
import type { Message } from '../../protocols/raft/types.ts'
import { SeededRandom } from '../world/seeded-random.ts'
import type { ElectionCost } from './election-costs.ts'
import { MessageNetwork } from './message-network.ts'

const delayMsMax = 10
/** So long that no heartbeat falls into an election. */
const heartbeatMs = 10_000

/**
 * One election by raft: the leader of so many nodes has crashed, and the others have been told that it is gone. Counted from the first request for a vote; what each then waits by chance, so that they do not all ask
 * at once, is set by the heartbeat, not by the network. Disks take no time.
 */
export function raftCost(nodes: number, seed = 1): ElectionCost {
  const cluster = new RaftElectionCluster(nodes, seed)
  const { network } = cluster
  const isDone = (): boolean => cluster.hasAgreed
  if (!network.runUntil(20 * heartbeatMs, isDone)) throw new Error('nobody was elected')
  network.runUntil(network.nowMs + heartbeatMs / 2)
  cluster.crashLeader()
  network.clearCounts()
  const hasBegun = (): boolean => network.sent.size > 0
  if (!network.runUntil(network.nowMs + 20 * heartbeatMs, hasBegun)) throw new Error('nobody has asked')
  const beginMs = network.nowMs
  if (!network.runUntil(beginMs + 20 * heartbeatMs, isDone)) throw new Error('nobody was elected')
  const delays = (network.nowMs - beginMs) / delayMsMax
  // What is still under way counts too.
  network.runUntil(network.nowMs + 10 * delayMsMax)
  let messages = 0
  for (const count of network.sent.values()) messages += count
  return { messages, delays }
}

class RaftElectionCluster {
  readonly network: MessageNetwork<Message>
  readonly #machines = new Map<NodeId, RaftElection>()
  readonly #cancels = new Map<NodeId, () => void>()

  constructor(nodes: number, seed: number) {
    const random = new SeededRandom(seed)
    const conditions = { delayMsMin: delayMsMax / 2, delayMsMax, lossShare: 0, doubleShare: 0 }
    this.network = new MessageNetwork(random.fork('network'), conditions, (message) =>
      this.#step(message.to, { type: 'receive', message }),
    )
    const members = Array.from({ length: nodes }, (_, place) => place + 1)
    for (const id of members) {
      const options = { id, members, heartbeatMs, electionTimeoutMs: 4 * heartbeatMs, eligible: true }
      this.#machines.set(id, new RaftElection(options, random.fork(`node ${id}`), 0))
      this.#setTimer(id)
    }
  }

  get hasAgreed(): boolean {
    const states = [...this.#machines.values()].map(({ state }) => state)
    const [first] = states
    return states.every(
      ({ leader, term }) => leader === first?.leader && term === first.term && this.#machines.has(leader),
    )
  }

  crashLeader(): void {
    for (const [id, { state }] of this.#machines) {
      if (state.role !== 'leader') continue
      this.#machines.delete(id)
      this.#cancels.get(id)?.()
    }
    for (const id of this.#machines.keys()) this.#step(id, { type: 'suspect' })
  }

  #step(id: NodeId, event: ElectionEvent<Message>): void {
    const machine = this.#machines.get(id)
    if (machine === undefined) return
    const { nowMs } = this.network
    const events = [event]
    for (let next = events.shift(); next !== undefined; next = events.shift()) {
      for (const effect of machine.step(next, nowMs)) {
        if (effect.type === 'send') this.network.send(effect.message, effect.message.type)
        else if (effect.type === 'persist') events.push({ type: 'persisted', sequence: effect.sequence })
      }
    }
    this.#setTimer(id)
  }

  #setTimer(id: NodeId): void {
    this.#cancels.get(id)?.()
    const atMs = this.#machines.get(id)?.nextDeadlineMs ?? Number.POSITIVE_INFINITY
    if (atMs === Number.POSITIVE_INFINITY) return
    const cancel = this.network.after(atMs - this.network.nowMs, () => this.#step(id, { type: 'tick' }))
    this.#cancels.set(id, cancel)
  }
}
