import type { SeededRandom } from './seeded-random.ts'

/** How frames fare from one machine to another, in one direction. */
export interface LinkConditions {
  readonly isBlocked: boolean
  readonly delayMsMin: number
  /** Mean of the exponential part of the delay. */
  readonly delayMsMean: number
  /** Probability that a frame is lost: a datagram for good, a stream's frame until it is sent again (200 ms and more). */
  readonly lossRate: number
  /** Datagrams only. */
  readonly duplicateRate: number
  /** Datagrams only: probability that a frame is held back, so that later ones overtake it. */
  readonly reorderRate: number
  /** `Infinity` when the link is never the bottleneck. */
  readonly bytesPerMs: number
}

/** A change of the conditions of some links. Rules that apply to the same link add up. */
export interface NetworkRule {
  readonly from: (host: string) => boolean
  readonly to: (host: string) => boolean
  readonly conditions: Partial<LinkConditions>
}

/** A local network: 0.1 ms and a little. */
export const defaultLink: LinkConditions = {
  isBlocked: false,
  delayMsMin: 0.1,
  delayMsMean: 0.1,
  lossRate: 0,
  duplicateRate: 0,
  reorderRate: 0,
  bytesPerMs: Number.POSITIVE_INFINITY,
}

const loopback: LinkConditions = { ...defaultLink, delayMsMin: 0.02, delayMsMean: 0.01 }

/** The conditions of every directed link, from the rules in force. */
export class NetworkLinks {
  base: LinkConditions = defaultLink
  readonly #rules = new Set<NetworkRule>()
  readonly #effective = new Map<string, Map<string, LinkConditions>>()

  add(rule: NetworkRule): void {
    this.#rules.add(rule)
    this.#effective.clear()
  }

  /** Whether the rule was in force. */
  remove(rule: NetworkRule): boolean {
    this.#effective.clear()
    return this.#rules.delete(rule)
  }

  removeAll(): void {
    this.#rules.clear()
    this.#effective.clear()
  }

  setBase(base: Partial<LinkConditions>): void {
    this.base = { ...this.base, ...base }
    this.#effective.clear()
  }

  get(from: string, to: string): LinkConditions {
    let row = this.#effective.get(from)
    if (row === undefined) {
      row = new Map()
      this.#effective.set(from, row)
    }
    let link = row.get(to)
    if (link === undefined) {
      link = from === to ? loopback : this.#compute(from, to)
      row.set(to, link)
    }
    return link
  }

  #compute(from: string, to: string): LinkConditions {
    let link = this.base
    for (const rule of this.#rules) if (rule.from(from) && rule.to(to)) link = combine(link, rule.conditions)
    return link
  }
}

/** Microseconds that a frame is under way once it has left. */
export function drawDelayUs(link: LinkConditions, random: SeededRandom): number {
  return Math.ceil((link.delayMsMin + random.exponential(link.delayMsMean)) * 1000)
}

/** Microseconds by which losses hold up a frame of a stream: the sender's time-out doubles from 200 ms. */
export function drawRetransmissionUs(link: LinkConditions, random: SeededRandom): number {
  let delayUs = 0
  for (let timeoutUs = 200_000; delayUs < 10_000_000 && random.chance(link.lossRate); timeoutUs *= 2)
    delayUs += timeoutUs
  return delayUs
}

function combine(link: LinkConditions, change: Partial<LinkConditions>): LinkConditions {
  const either = (a: number, b: number | undefined): number => 1 - (1 - a) * (1 - (b ?? 0))
  return {
    isBlocked: link.isBlocked || change.isBlocked === true,
    delayMsMin: link.delayMsMin + (change.delayMsMin ?? 0),
    delayMsMean: link.delayMsMean + (change.delayMsMean ?? 0),
    lossRate: either(link.lossRate, change.lossRate),
    duplicateRate: either(link.duplicateRate, change.duplicateRate),
    reorderRate: either(link.reorderRate, change.reorderRate),
    bytesPerMs: Math.min(link.bytesPerMs, change.bytesPerMs ?? Number.POSITIVE_INFINITY),
  }
}
