import { Counters } from '../../../coordination/primitives/counters.ts'
import { Latches } from '../../../coordination/primitives/latches.ts'
import { isAlthingError } from '../../../contracts/errors.ts'
import { InvariantViolation } from '../../invariants/violation.ts'
import { insisted, rest, sleep, succeeded, tried, type User } from '../user.ts'
import type { CreateWorkload, Workload, WorkloadStage } from '../workload.ts'

const count = 'count'
const parties = 5

/** Users add to one counter, and count latches down as parties that may call again: what was acknowledged is in the sum once, what failed for sure is not. */
class CounterWorkload implements Workload {
  readonly leavesNothingUnder: readonly string[] = []
  readonly succession
  readonly #sums = { added: 0n, unknown: 0n }
  readonly #counts = { additions: 0, unknownAdditions: 0, latchesOpened: 0 }
  #rounds = 0
  #last: bigint | undefined

  constructor(_stage: WorkloadStage) {
    const read = async (user: User): Promise<void> => {
      const counters = new Counters(user)
      this.#last = await insisted(user, () => counters.get(count))
    }
    this.succession = { first: read, next: read, withinMs: 5_000 }
  }

  get rounds(): number {
    return this.#rounds
  }

  readonly use = async (user: User): Promise<void> => {
    const counters = new Counters(user)
    const latches = new Latches(user)
    for (let round = 1; !user.isStopping(); round++) {
      const burst = user.random.pick([1, 1, 4])
      await Promise.all(Array.from({ length: burst }, () => this.#add(user, counters)))
      if (user.random.chance(0.2)) await this.#openLatch(user, latches, round)
      this.#rounds++
      await sleep(user.world, 400)
      await rest(user)
    }
  }

  judge(): InvariantViolation | undefined {
    const { added, unknown } = this.#sums
    const last = this.#last ?? 0n
    if (last >= added && last <= added + unknown) return undefined
    const what = `${added} were added, and perhaps ${unknown} more, and the counter says ${last}`
    return new InvariantViolation('counted-once', what)
  }

  reached(): Readonly<Record<string, number>> {
    return this.#counts
  }

  async #add(user: User, counters: Counters): Promise<void> {
    const delta = BigInt(user.random.integer(1, 9))
    // Until it is acknowledged, or has failed for sure, or for ever when its process dies meanwhile.
    this.#sums.unknown += delta
    await tried(user, async () => {
      try {
        await counters.add(count, delta)
        this.#sums.unknown -= delta
        this.#sums.added += delta
        this.#counts.additions++
      } catch (error) {
        if (isAlthingError(error) && error.outcome === 'none') this.#sums.unknown -= delta
        else this.#counts.unknownAdditions++
        throw error
      }
    }, ['conflict'])
  }

  async #openLatch(user: User, latches: Latches, round: number): Promise<void> {
    const name = `${user.name}-${round}`
    if (
      !(await succeeded(user, () => latches.create(name, parties, { keepFor: '20s' }), ['lease-not-found']))
    )
      return
    for (let i = 1; i <= parties && !user.isStopping(); i++) {
      // Called again by the same party it counts once.
      for (let calls = user.random.integer(1, 2); calls > 0; calls--)
        await tried(user, () => latches.countDown(name, { party: `party${i}` }), ['not-found', 'conflict'])
      const state = await tried(user, () => latches.state(name), ['not-found'])
      if (state === undefined) return
      if (state.count < parties - i)
        user.observations.violated(
          'counted-once',
          `${name} was counted down ${i} times, and has ${state.count} left`,
        )
      if (state.count === 0) this.#counts.latchesOpened++
    }
  }
}

export const createCounterWorkload: CreateWorkload = (stage) => new CounterWorkload(stage)
