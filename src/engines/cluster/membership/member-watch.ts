import { asAlthingError } from '../../../contracts/errors.ts'
import type { Timer, World } from '../../../contracts/world.ts'
import { decodeSwimMessage, encodeSwimMessage } from '../../../protocols/membership/message-codec.ts'
import { SwimRunner } from '../../../protocols/membership/swim-runner.ts'
import type { MemberView, SwimEffect, SwimMessage } from '../../../protocols/membership/types.ts'
import type { NodeId } from '../../../protocols/raft/types.ts'
import { gossipVersion, type Member, type PeerTransport } from '../../../replication/peer-transport.ts'
import type { MemberSight, NodeVitals } from '../node-status.ts'

export interface MemberWatchOptions {
  readonly world: World
  readonly self: NodeId
  readonly transport: Pick<PeerTransport, 'gossip' | 'protocolOf'>
  members(): readonly Member[]
  /** The newest version of the messages between nodes that the member is on record to speak, where it has not greeted this node. */
  recordedProtocol(member: NodeId): number | undefined
  vitals(): NodeVitals | undefined
  /** This node gives its leaderships up because its disk is all but full. */
  isDiskLow(): boolean
}

/** A dead node is known by all within about five seconds; three periods to refute are enough on the network of a cluster. */
const timing = { probeIntervalMs: 1_000, probeTimeoutMs: 500, suspicionAlpha: 3 } as const
/** Never: who belongs to the cluster is raft's to say. */
const forgetMs = 2 ** 40
/** Of the last 10 to 20 seconds: from here on a node calls itself degraded. */
const loopDelayP99Ms = 250
const loopDelayMaxMs = 1_000
const reasonEventLoop = 'event-loop'
const reasonDisk = 'disk-full'

/**
 * The nodes of a cluster watch one another: SWIM over the connections between them. It is for those who look at the cluster, and decides nothing: who belongs to it, and who leads, raft
 * says. A node of a version before has no part in it, and is not taken for failed.
 */
export class MemberWatch {
  readonly #options: MemberWatchOptions
  readonly #runner: SwimRunner
  readonly #introduced = new Set<NodeId>()
  #timer: Timer | undefined
  #degraded = ''

  constructor(options: MemberWatchOptions) {
    const { world, self } = options
    this.#options = options
    this.#runner = new SwimRunner({
      world,
      swim: {
        id: String(self),
        address: String(self),
        // After that of the life before, unless the clock was set back: then it is refuted.
        incarnation: Math.max(1, Math.floor(world.clock.wallMs() / 1_000)),
        forgetMs,
        ...timing,
      },
      send: (to, message) => this.#send(Number(to), message),
      happened: (effect) => this.#happened(effect),
    })
  }

  start(): void {
    this.#follow()
    this.#timer = this.#options.world.timers.after(timing.probeIntervalMs, () => this.start())
  }

  /** What node `from` has sent. Anything that cannot be read is dropped: it may be of a later version. */
  receive(from: NodeId, bytes: Uint8Array): void {
    let message: SwimMessage
    try {
      message = decodeSwimMessage(bytes)
    } catch (error) {
      const reason = asAlthingError(error).message
      this.#options.world.logger.log('debug', 'gossip that cannot be read', { from, reason })
      return
    }
    // The connection says who sends: nobody speaks for another.
    if (message.from === String(from)) this.#runner.step({ type: 'receive', message, replyTo: message.from })
  }

  /** How this node sees `member`; `undefined`: it has not seen it, or it is of a version that cannot be watched. */
  sightOf(member: NodeId): MemberSight | undefined {
    const { swim } = this.#runner
    const seen = member === this.#options.self ? swim.self : swim.member(String(member))
    return seen === undefined ? undefined : sightOf(seen, this.#options.world.clock.monotonicMs())
  }

  close(): void {
    this.#timer?.cancel()
    this.#runner.close()
  }

  #follow(): void {
    const { self, members } = this.#options
    const watched = new Set(members().flatMap(({ id }) => (id !== self && this.#speaks(id) ? [id] : [])))
    for (const id of watched) {
      if (!this.#introduced.has(id))
        this.#runner.step({ type: 'introduce', id: String(id), address: String(id) })
      this.#introduced.add(id)
    }
    for (const { id } of [...this.#runner.swim.members()]) {
      if (watched.has(Number(id))) continue
      this.#introduced.delete(Number(id))
      this.#runner.step({ type: 'remove', id })
    }
    const degraded = this.#reason()
    if (degraded !== this.#degraded) this.#runner.step({ type: 'setHealth', degraded })
    this.#degraded = degraded
  }

  #speaks(id: NodeId): boolean {
    const { transport, recordedProtocol } = this.#options
    return (transport.protocolOf(id) ?? recordedProtocol(id) ?? 0) >= gossipVersion
  }

  #reason(): string {
    const { vitals, isDiskLow } = this.#options
    const loopDelay = vitals()?.loopDelay
    if (loopDelay !== undefined && (loopDelay.p99Ms >= loopDelayP99Ms || loopDelay.maxMs >= loopDelayMaxMs))
      return reasonEventLoop
    return isDiskLow() ? reasonDisk : ''
  }

  #send(to: NodeId, message: SwimMessage): void {
    this.#options.transport.gossip(to, encodeSwimMessage(message))
  }

  #happened(effect: Exclude<SwimEffect, { type: 'send' }>): void {
    if (effect.type !== 'changed' || effect.member.state === effect.before) return
    const { id, state, degraded, suspectedBy } = effect.member
    const level = state === 'failed' || state === 'suspect' ? 'warn' : 'info'
    this.#options.world.logger.log(level, 'a member is seen otherwise', {
      member: Number(id),
      state,
      before: effect.before,
      ...(degraded === '' ? {} : { degraded }),
      ...(suspectedBy.length === 0 ? {} : { suspectedBy }),
    })
  }
}

function sightOf(seen: MemberView, nowMs: number): MemberSight {
  const { state, sinceMs, incarnation, degraded, suspectedBy, roundTripMs, healthScore } = seen
  return {
    state,
    forMs: Math.max(0, Math.round(nowMs - sinceMs)),
    incarnation,
    ...(degraded === '' ? {} : { degraded }),
    ...(suspectedBy.length === 0 ? {} : { suspectedBy: suspectedBy.map(Number) }),
    ...(roundTripMs === undefined ? {} : { roundTripMs: Math.round(roundTripMs * 1_000) / 1_000 }),
    ...(healthScore === undefined ? {} : { healthScore }),
  }
}
