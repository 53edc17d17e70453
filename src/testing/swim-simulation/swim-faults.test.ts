import { describe, expect, test } from 'vitest'
import type { MemberState } from '../../protocols/membership/types.ts'
import { SeededRandom } from '../world/seeded-random.ts'
import { SwimGroup } from './swim-group.ts'

/** More by hand: ALTHING_SWIM_SEEDS=500 npx vitest run --project unit src/testing/swim-simulation/swim-faults.test.ts */
const seeds = Number(process.env['ALTHING_SWIM_SEEDS'] ?? 8)

/** These have failed: two groups that had each been joined in a partition never heard of each other. */
const kept = [11, 23, 41, 43, 55]

const size = 14
const faultsMs = 90_000

/** Crashes, restarts, stalls, partitions, losses, doubles, delays and clocks that run apart, for a while; then all is well again. */
class StormyGroup {
  readonly group: SwimGroup
  readonly changes: { at: string; of: string; state: MemberState; atMs: number }[] = []
  readonly #random: SeededRandom

  constructor(seed: number) {
    this.#random = new SeededRandom(`${seed}/storm`)
    this.group = new SwimGroup({
      seed,
      size,
      drift: 0.02,
      latencyMs: [0.5, 80],
      isIntroduced: seed % 2 === 0,
      happened: (at, effect, atMs) => {
        if (effect.type !== 'changed') return
        const { id, state } = effect.member
        this.changes.push({ at, of: id, state, atMs })
      },
    })
    if (seed % 2 === 1) for (const id of this.group.ids) this.#join(id)
  }

  /** Ends with at least one member down that was not let back. */
  storm(): string[] {
    const { group } = this
    while (group.nowMs < faultsMs) {
      this.#fault()
      group.runUntil(group.nowMs + this.#random.between(200, 4_000))
    }
    group.partition(undefined)
    group.setNetwork({ loss: 0, doubled: 0 })
    if (group.running.length === size) group.crash(this.#random.pick(group.ids))
    return group.ids.filter((id) => !group.running.includes(id))
  }

  #fault(): void {
    const { group } = this
    const random = this.#random
    const victim = random.pick(group.ids)
    const isUp = group.running.includes(victim)
    switch (random.integer(0, 5)) {
      case 0:
        if (isUp && group.running.length > size / 2) group.crash(victim)
        return
      case 1:
        if (isUp) return
        group.start(victim)
        this.#join(victim)
        return
      case 2:
        if (isUp) group.block(victim, random.between(100, 12_000))
        return
      case 3: {
        const share = random.float()
        const sides = new Map(group.ids.map((id) => [id, random.chance(share) ? 1 : 0]))
        group.partition((id) => sides.get(id) ?? 0)
        return
      }
      case 4:
        group.partition(undefined)
        return
      default:
        group.setNetwork({ loss: random.float() * 0.3, doubled: random.float() * 0.3 })
    }
  }

  #join(id: string): void {
    const others = this.group.ids.filter((other) => other !== id)
    this.group.step(id, { type: 'join', addresses: this.#random.shuffle(others).slice(0, 3) })
  }
}

describe('a failure detector in a storm', () => {
  test.each([...new Set([...Array.from({ length: seeds }, (_, i) => i + 1), ...kept])])(
    'is complete and, once the storm is over, accurate: seed %i',
    (seed) => {
      const stormy = new StormyGroup(seed)
      const { group } = stormy
      const down = stormy.storm()
      const sees = (at: string, of: string): MemberState | undefined => group.member(at).member(of)?.state
      const isRight = (): boolean =>
        group.running.every((at) =>
          group.ids.every((of) => {
            if (of === at) return true
            const state = sees(at, of)
            return down.includes(of)
              ? state === 'failed' || state === undefined
              : state === 'alive' || state === 'recovered' || state === 'degraded'
          }),
        )
      // Complete: each that is down is failed at all. Accurate: each that runs is live at all.
      expect(group.runUntilTrue(isRight, 500, 240_000)).toBeDefined()
      // And it stays so: not one wrong verdict, nor a suspicion, while the network is calm.
      group.runUntil(group.nowMs + 20_000)
      stormy.changes.length = 0
      group.runUntil(group.nowMs + 120_000)
      const wrong = stormy.changes.filter(({ state }) => state === 'suspect' || state === 'failed')
      expect(wrong).toEqual([])
      expect(isRight()).toBe(true)
      // All news has been told: no message grows with what happened.
      expect(group.running.every((id) => group.member(id).newsSize === 0)).toBe(true)
    },
  )

  test('runs the same from the same seed', () => {
    const run = (): unknown => {
      const stormy = new StormyGroup(77)
      stormy.storm()
      return [stormy.group.messages, stormy.changes]
    }
    expect(run()).toEqual(run())
  })
})
