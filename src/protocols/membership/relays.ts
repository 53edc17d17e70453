import type { Core } from './core.ts'
import type { Ack, MemberId, PingRequest } from './types.ts'

interface Relay {
  readonly target: MemberId
  readonly replyTo: string
  /** The asker's number of its question. */
  readonly seq: number
  readonly nackMs: number
  readonly endMs: number
  isNacked: boolean
}

/** Pings for others that are under way, past which no more are taken on. */
const relaysMax = 256
/** Of the asker's time-out: when it is told that there is no answer yet, so that it hears of it in time (section IV.A of the Lifeguard paper). */
const nackShare = 0.8

/** Pings that others have asked this member for, because they had no answer themselves. */
export class Relays {
  readonly #core: Core
  readonly #relays = new Map<number, Relay>()

  constructor(core: Core) {
    this.#core = core
  }

  get dueMs(): number {
    let dueMs = Number.POSITIVE_INFINITY
    for (const { isNacked, nackMs, endMs } of this.#relays.values())
      dueMs = Math.min(dueMs, isNacked ? endMs : nackMs)
    return dueMs
  }

  begin({ seq, target, targetAddress }: PingRequest, replyTo: string, ownSeq: number): void {
    const core = this.#core
    if (this.#relays.size >= relaysMax) return
    const { probeTimeoutMs, probeIntervalMs, refinements } = core.options
    this.#relays.set(ownSeq, {
      target,
      replyTo,
      seq,
      nackMs: core.nowMs + nackShare * probeTimeoutMs,
      endMs: core.nowMs + probeIntervalMs,
      isNacked: !refinements.localHealth,
    })
    const record = core.records.get(target)
    const ping = { type: 'ping', seq: ownSeq, to: target, score: core.health.score } as const
    core.send(targetAddress, ping, core.buddyClaim(record))
  }

  /** `true`: it was the answer to one of these. */
  acked({ seq, from }: Ack): boolean {
    const relay = this.#relays.get(seq)
    if (relay?.target !== from) return false
    this.#relays.delete(seq)
    this.#core.send(relay.replyTo, { type: 'ack', seq: relay.seq, score: this.#core.health.score })
    return true
  }

  tick(): void {
    const { nowMs } = this.#core
    for (const [seq, relay] of this.#relays) {
      if (relay.endMs <= nowMs) this.#relays.delete(seq)
      else if (!relay.isNacked && relay.nackMs <= nowMs) {
        relay.isNacked = true
        this.#core.send(relay.replyTo, { type: 'nack', seq: relay.seq })
      }
    }
  }
}
