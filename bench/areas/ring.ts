import { createKeyHash, HashRing } from 'althing/traffic'
import { createRequire } from 'node:module'
import { loadavg } from 'node:os'
import type { Figure } from '../figure.ts'
import type { BenchOptions } from '../options.ts'
import type { AreaResult } from '../report.ts'
import { rounded } from '../statistics.ts'
import { rateOf, ratesInTurn, resultOfFigures } from './id-figures.ts'

const members = 100
const lookups = 100_000
const measuredKeys = 1_000_000

/** What we use of `consistent-hash`, which brings no types. */
interface PeerRing {
  add(node: string): PeerRing
  get(name: string): string
}
const PeerRing = createRequire(import.meta.url)('consistent-hash') as new () => PeerRing

interface Owners {
  owner(key: string): string
  add(member: string): void
}

/** Lookups on a ring of 100 members, how even the shares are, and how much moves when a member comes: beside npm's `consistent-hash`. */
export async function benchRing(options: BenchOptions, print: (text: string) => void): Promise<AreaResult> {
  const loadAtStart = rounded(loadavg()[0] ?? 0)
  const hash = await createKeyHash()
  const rings = { ours: () => ourRing(new HashRing(hash)), peer: () => peerRing(new PeerRing()) }
  const [ours, peer] = [rings.ours(), rings.peer()]
  const keys = Array.from({ length: lookups }, (_, i) => `user-${i}`)
  let seen = 0
  const repeated = (ring: Owners) =>
    rateOf(() => {
      for (const key of keys) seen += ring.owner(key).length
    }, lookups)
  const rates = await ratesInTurn(
    options.rounds,
    (options.seconds * 1_000) / 2,
    repeated(ours),
    repeated(peer),
  )
  if (seen === 0) throw new Error('nobody owns the keys')
  const shares = { ours: [] as number[], peer: [] as number[] }
  const moved = { ours: [] as number[], peer: [] as number[] }
  for (let round = 0; round < options.rounds; round++) {
    for (const side of ['ours', 'peer'] as const) {
      const ring = rings[side]()
      const before = ownersOf(ring, round)
      shares[side].push(largestShare(before))
      ring.add(`member-${members}`)
      moved[side].push(movedShare(before, ownersOf(ring, round)) * (members + 1))
    }
  }
  const figures: Figure[] = [
    { name: 'lookups', unit: '1/s', better: 'more', ...rates, goal: { must: 0.8, aim: 1.3 } },
    { name: 'largest share / mean', unit: '', better: 'less', ...shares },
    { name: 'keys moved by a new member, times n+1', unit: '', better: 'less', ...moved },
  ]
  const bound = {
    'largest share / mean': Math.max(...shares.ours),
    must: 1.1,
    met: Math.max(...shares.ours) <= 1.1,
  }
  print(
    `largest share over all rounds: ${bound['largest share / mean'].toFixed(3)} of the mean (goal: at most 1.10)`,
  )
  const setup = {
    ours: 'HashRing of althing/traffic, 2,000 points a member',
    peer: 'consistent-hash 1.2.2, as it comes: 40 points a member',
    members,
    measuredKeys,
    loadAtStart,
    bound,
  }
  return resultOfFigures(options, figures, setup, print)
}

function ourRing(ring: HashRing): Owners {
  for (let i = 0; i < members; i++) ring.add(`member-${i}`)
  return { owner: (key) => ring.owner(key) as string, add: (member) => ring.add(member) }
}

function peerRing(ring: PeerRing): Owners {
  for (let i = 0; i < members; i++) ring.add(`member-${i}`)
  return { owner: (key) => ring.get(key), add: (member) => void ring.add(member) }
}

/** Other keys in each round. */
function ownersOf(ring: Owners, round: number): string[] {
  return Array.from({ length: measuredKeys }, (_, i) => ring.owner(`key-${round}-${i}`))
}

function largestShare(owners: readonly string[]): number {
  const counts = new Map<string, number>()
  for (const owner of owners) counts.set(owner, (counts.get(owner) ?? 0) + 1)
  return (Math.max(...counts.values()) * members) / owners.length
}

function movedShare(before: readonly string[], after: readonly string[]): number {
  return before.filter((owner, i) => owner !== after[i]).length / before.length
}
