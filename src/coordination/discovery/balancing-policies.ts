import type { Random } from '../../contracts/world.ts'
import type { HashRing } from '../../protocols/ring/hash-ring.ts'

/** How an instance is chosen for a new session, or for each request when sessions are off. */
export const balancerNames = [
  'consistent-hash',
  'round-robin',
  'random',
  'two-choices',
  'least-connections',
] as const

export type BalancerName = (typeof balancerNames)[number]

export interface Candidate {
  readonly id: string
  /** > 0. */
  readonly weight: number
  /** Requests and tunnels under way. */
  readonly load: number
}

export interface Balancer {
  /** One of `candidates`; `undefined` only when there is none. `key` is the client's. */
  pick(candidates: readonly Candidate[], key: string): Candidate | undefined
}

export interface BalancerDependencies {
  readonly random: Pick<Random, 'float'>
  /** For `consistent-hash`: holds every instance that has a weight, candidate or not. */
  readonly ring: HashRing
  /** For `consistent-hash`: bound each instance's sessions to this multiple of its fair share. Default: not bounded. */
  readonly loadFactor?: number
  readonly sessionsOn: (instanceId: string) => number
}

export function createBalancer(name: BalancerName, dependencies: BalancerDependencies): Balancer {
  switch (name) {
    case 'consistent-hash':
      return new ConsistentHashBalancer(dependencies)
    case 'round-robin':
      return new RoundRobinBalancer()
    case 'random':
      return { pick: (candidates) => pickWeighted(candidates, dependencies.random) }
    case 'two-choices':
      return { pick: (candidates) => pickOfTwo(candidates, dependencies.random) }
    case 'least-connections':
      return { pick: (candidates) => pickLeastLoaded(candidates, dependencies.random) }
  }
}

/** The first candidate in the key's ring order, so that an instance that is no candidate passes on its own keys only. */
class ConsistentHashBalancer implements Balancer {
  readonly #ring: HashRing
  readonly #loadFactor: number | undefined
  readonly #sessionsOn: (instanceId: string) => number

  constructor(dependencies: BalancerDependencies) {
    this.#ring = dependencies.ring
    this.#loadFactor = dependencies.loadFactor
    this.#sessionsOn = dependencies.sessionsOn
  }

  pick(candidates: readonly Candidate[], key: string): Candidate | undefined {
    const byId = new Map(candidates.map((candidate) => [candidate.id, candidate]))
    let preferred: Candidate | undefined
    const capacityOf = this.#capacity(candidates)
    for (const id of this.#ring.walk(key)) {
      const candidate = byId.get(id)
      if (candidate === undefined) continue
      preferred ??= candidate
      if (this.#sessionsOn(id) + 1 <= capacityOf(candidate)) return candidate
    }
    return preferred
  }

  /** Bounded loads (Mirrokni, Thorup and Zadimoghaddam, 2016) over the candidates. */
  #capacity(candidates: readonly Candidate[]): (candidate: Candidate) => number {
    const factor = this.#loadFactor
    if (factor === undefined) return () => Number.POSITIVE_INFINITY
    let sessions = 1
    let weights = 0
    for (const candidate of candidates) {
      sessions += this.#sessionsOn(candidate.id)
      weights += candidate.weight
    }
    return (candidate) => Math.ceil((factor * sessions * candidate.weight) / weights)
  }
}

/** Smooth weighted round robin (as in nginx): with weights 5, 1, 1 it gives a a b a c a a, never five in a row. */
class RoundRobinBalancer implements Balancer {
  #credit = new Map<string, number>()

  pick(candidates: readonly Candidate[]): Candidate | undefined {
    const credit = new Map<string, number>()
    let total = 0
    let best: Candidate | undefined
    for (const candidate of candidates) {
      const own = (this.#credit.get(candidate.id) ?? 0) + candidate.weight
      credit.set(candidate.id, own)
      total += candidate.weight
      if (best === undefined || own > (credit.get(best.id) as number)) best = candidate
    }
    if (best !== undefined) credit.set(best.id, (credit.get(best.id) as number) - total)
    this.#credit = credit
    return best
  }
}

function pickWeighted(
  candidates: readonly Candidate[],
  random: Pick<Random, 'float'>,
): Candidate | undefined {
  let total = 0
  for (const candidate of candidates) total += candidate.weight
  let left = random.float() * total
  for (const candidate of candidates) {
    left -= candidate.weight
    if (left < 0) return candidate
  }
  return candidates.at(-1)
}

/** The less loaded of two drawn at random (Mitzenmacher, 2001): close to the best choice, without everybody making it at once. */
function pickOfTwo(candidates: readonly Candidate[], random: Pick<Random, 'float'>): Candidate | undefined {
  const first = pickWeighted(candidates, random)
  if (first === undefined || candidates.length === 1) return first
  const second = pickWeighted(
    candidates.filter((candidate) => candidate !== first),
    random,
  ) as Candidate
  return relativeLoad(second) < relativeLoad(first) ? second : first
}

/** Ties are broken at random: else all gateways would load the same instance first. */
function pickLeastLoaded(
  candidates: readonly Candidate[],
  random: Pick<Random, 'float'>,
): Candidate | undefined {
  const least = Math.min(...candidates.map(relativeLoad))
  return pickWeighted(
    candidates.filter((candidate) => relativeLoad(candidate) === least),
    random,
  )
}

function relativeLoad(candidate: Candidate): number {
  return candidate.load / candidate.weight
}
