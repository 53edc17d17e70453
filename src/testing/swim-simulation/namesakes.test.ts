import { describe, expect, test } from 'vitest'
import { SeededRandom } from '../world/seeded-random.ts'
import { SwimGroup } from './swim-group.ts'

/** More by hand: ALTHING_SWIM_SEEDS=500 npx vitest run --project unit src/testing/swim-simulation/namesakes.test.ts */
const seeds = Number(process.env['ALTHING_SWIM_SEEDS'] ?? 8)

const size = 10
/** The process at `m10` goes by the name `m1`. */
const [first, newcomer] = ['m1', 'm10']
const others = Array.from({ length: size - 2 }, (_, i) => `m${i + 2}`)

class Rivals {
  readonly group: SwimGroup
  /** Addresses of those that have ended for the other. */
  readonly yielded: string[] = []
  /** What each of the others was told of the name: where it is. */
  readonly moves: string[] = []

  constructor(seed: number, isIntroduced = true) {
    this.group = new SwimGroup({
      seed,
      size,
      isIntroduced,
      latencyMs: [0.5, 40],
      named: { [newcomer]: first },
      happened: (at, effect) => {
        if (effect.type === 'conflict' && effect.yields) this.yielded.push(at)
        if (effect.type === 'changed' && effect.member.id === first)
          this.moves.push(`${at}: ${effect.member.address}`)
      },
    })
    this.group.crash(newcomer)
  }

  come(address: string, incarnation: number, via: readonly string[]): void {
    this.group.start(address, { incarnation })
    this.group.step(address, { type: 'join', addresses: via })
  }

  /** All others see the name alive, and at that address. */
  areOf(address: string): boolean {
    return others.every((at) => {
      const seen = this.group.member(at).member(first)
      return seen?.address === address && ['alive', 'recovered', 'degraded'].includes(seen.state)
    })
  }
}

describe('of two processes with one name', () => {
  test('the newcomer is told before anybody has heard of it, and the one that was there stays', () => {
    const rivals = new Rivals(1)
    rivals.group.runUntil(10_000)
    rivals.moves.length = 0
    rivals.come(newcomer, 5, ['m2'])
    expect(rivals.group.runUntilTrue(() => rivals.yielded.length > 0, 10, 5_000)).toBeLessThan(1_000)
    rivals.group.runUntil(60_000)
    expect([rivals.yielded, rivals.moves, rivals.areOf(first)]).toEqual([[newcomer], [], true])
  })

  test('a newcomer takes the name over when the one that had it is gone, though nobody has noticed yet', () => {
    const rivals = new Rivals(2)
    rivals.group.runUntil(10_000)
    rivals.group.crash(first)
    rivals.come(newcomer, 5, ['m2', 'm3'])
    expect(rivals.group.runUntilTrue(() => rivals.areOf(newcomer), 50, 30_000)).toBeLessThan(8_000)
    rivals.group.runUntil(120_000)
    expect([rivals.yielded, rivals.areOf(newcomer)]).toEqual([[], true])
  })

  test('that join each other at the same moment one stays, whoever it is', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const rivals = new Rivals(seed, false)
      for (const address of others) rivals.group.crash(address)
      rivals.group.crash(first)
      rivals.come(first, 7, [newcomer])
      rivals.come(newcomer, 7, [first])
      rivals.group.runUntil(20_000)
      expect([seed, rivals.yielded.length]).toEqual([seed, 1])
    }
  })

  test.each(Array.from({ length: seeds }, (_, i) => i + 1))(
    'exactly the one that began later ends, whatever is lost, late or cut off meanwhile, and all see the other: seed %i',
    (seed) => {
      const rivals = new Rivals(seed)
      const random = new SeededRandom(`${seed}/rivals`)
      const { group } = rivals
      group.setNetwork({ loss: random.float() * 0.3, doubled: random.float() * 0.3 })
      const side = new Map(group.ids.map((id) => [id, random.chance(0.5) ? 1 : 0]))
      if (random.chance(0.5)) group.partition((id) => side.get(id) ?? 0)
      group.runUntil(random.between(0, 20_000))
      rivals.come(newcomer, 5, random.shuffle(others).slice(0, 3))
      while (group.nowMs < 60_000) {
        const victim = random.pick(group.running)
        if (random.chance(0.5)) group.block(victim, random.between(100, 8_000))
        if (random.chance(0.2)) group.partition(undefined)
        // The one that began first never ends for the other.
        expect(rivals.yielded).not.toContain(first)
        group.runUntil(group.nowMs + random.between(200, 4_000))
      }
      group.partition(undefined)
      group.setNetwork({ loss: 0, doubled: 0 })
      const isSettled = (): boolean => rivals.yielded.length === 1 && rivals.areOf(first)
      expect(group.runUntilTrue(isSettled, 500, 240_000)).toBeDefined()
      group.runUntil(group.nowMs + 60_000)
      expect([rivals.yielded, rivals.areOf(first)]).toEqual([[newcomer], true])
    },
  )
})

test('two members that join each other at the same moment find each other, whatever is on its way between them', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const joined: string[] = []
    const group = new SwimGroup({
      seed,
      size: 2,
      isIntroduced: false,
      latencyMs: [0.5, 200],
      happened: (at, effect) => {
        if (effect.type === 'joined') joined.push(at)
      },
    })
    group.step('m1', { type: 'join', addresses: ['m2'] })
    group.step('m2', { type: 'join', addresses: ['m1'] })
    const isMet = (): boolean =>
      group.member('m1').member('m2')?.state === 'alive' && group.member('m2').member('m1')?.state === 'alive'
    expect([seed, group.runUntilTrue(isMet, 50, 5_000)]).not.toContain(undefined)
    expect([seed, joined.toSorted()]).toEqual([seed, ['m1', 'm2']])
  }
})
