import { type ChordHash, chordIdEnd } from '../../protocols/chord/identifiers.ts'
import type { ChordId } from '../../protocols/chord/types.ts'
import { SeededRandom } from '../world/seeded-random.ts'
import { ChordRing, ownerOf } from './chord-ring.ts'

export interface LookupFigures {
  readonly nodes: number
  readonly failedShare: number
  readonly lookups: number
  /** Answered, with the right node among the living. */
  readonly succeeded: number
  readonly hopsMean: number
  readonly hopsMax: number
  readonly timeoutsMean: number
}

const never = 1e9

/**
 * Lookups of random identifiers from random nodes in a ring whose places were all right, after a share of the nodes has crashed at once, and before anything is
 * repaired.
 */
export function lookupFigures(
  hash: ChordHash,
  {
    nodes,
    successorsMax,
    failedShare,
    lookups,
    seed = 1,
  }: {
    readonly nodes: number
    readonly successorsMax: number
    readonly failedShare: number
    readonly lookups: number
    readonly seed?: number
  },
): LookupFigures {
  const random = new SeededRandom(seed)
  const options = {
    successorsMax,
    copies: 1,
    stabiliseMs: never,
    fixFingersMs: never,
    refreshMs: never,
    timeoutMs: 500,
    tries: 1,
  }
  const ring = new ChordRing(random.fork('network'), hash, options)
  ring.startAll(randomIds(random, nodes), successorsMax)
  for (const id of random.shuffle(ring.members).slice(0, Math.round(nodes * failedShare))) ring.crash(id)
  const { members } = ring
  let [succeeded, hopsSum, hopsMax, timeoutsSum] = [0, 0, 0, 0]
  for (let i = 0; i < lookups; i++) {
    const id = random.integer(0, chordIdEnd - 1)
    const request = ring.ask(random.pick(members), { type: 'lookup', id })
    ring.network.runUntil(ring.network.nowMs + 60_000)
    const answer = ring.answer(request)
    if (answer?.type !== 'lookedUp') continue
    const owner = answer.owners.find((each) => ring.node(each.id) !== undefined)
    if (owner?.id === ownerOf(members, id)) succeeded += 1
    hopsSum += answer.hops
    hopsMax = Math.max(hopsMax, answer.hops)
    timeoutsSum += answer.timeouts
  }
  const hopsMean = hopsSum / lookups
  return { nodes, failedShare, lookups, succeeded, hopsMean, hopsMax, timeoutsMean: timeoutsSum / lookups }
}

export interface LoadFigures {
  readonly virtualNodes: number
  /** Keys of a node, divided by the mean. */
  readonly first: number
  readonly last: number
}

/** Share of the keys that nodes get: the 1st and the 99th percentile. */
export function loadFigures(nodes: number, keys: number, virtualNodes: number, seed = 1): LoadFigures {
  const random = new SeededRandom(seed)
  const places = randomIds(random, nodes * virtualNodes)
  const nodeOf = new Map(places.map((id, i) => [id, i % nodes]))
  const sorted = places.toSorted((a, b) => a - b)
  const counts = new Array<number>(nodes).fill(0)
  for (let i = 0; i < keys; i++) {
    const node = nodeOf.get(ownerOf(sorted, random.integer(0, chordIdEnd - 1))) as number
    counts[node] = (counts[node] as number) + 1
  }
  counts.sort((a, b) => a - b)
  const at = (share: number): number => ((counts[Math.floor(nodes * share)] as number) * nodes) / keys
  return { virtualNodes, first: at(0.01), last: at(0.99) }
}

function randomIds(random: SeededRandom, count: number): ChordId[] {
  const ids = new Set<ChordId>()
  while (ids.size < count) ids.add(random.integer(0, chordIdEnd - 1))
  return [...ids]
}
