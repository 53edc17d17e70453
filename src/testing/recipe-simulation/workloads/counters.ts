import type { AtomicValue } from '../../../coordination/primitives/atomic-value.ts'
import { Atomics } from '../../../coordination/primitives/atomics.ts'
import { Counters } from '../../../coordination/primitives/counters.ts'
import { Latches } from '../../../coordination/primitives/latches.ts'
import type { InvariantViolation } from '../../invariants/violation.ts'
import { Tally } from '../tally.ts'
import { insisted, rest, sleep, succeeded, tried, type User } from '../user.ts'
import type { CreateWorkload, Workload, WorkloadStage } from '../workload.ts'

const count = 'count'
const valueOf = (user: User): AtomicValue<number> => new Atomics(user).value<number>('value')
const parties = 5

/**
 * Users add to one counter, change one atomic value if nobody was faster, and count latches down as parties that may call again: what was acknowledged is in the sum once, what failed
 * for sure is not.
 */
class CounterWorkload implements Workload {
  readonly leavesNothingUnder: readonly string[] = []
  readonly succession
  readonly #additions = new Tally()
  readonly #changes = new Tally()
  readonly #counts = { latchesOpened: 0 }
  readonly #last = { count: 0n, value: 0 }
  #rounds = 0

  constructor(_stage: WorkloadStage) {
    const read = async (user: User): Promise<void> => {
      const counters = new Counters(user)
      const value = valueOf(user)
      this.#last.count = await insisted(user, () => counters.get(count))
      this.#last.value = (await insisted(user, () => value.get())) ?? 0
    }
    this.succession = { first: read, next: read, withinMs: 5_000 }
  }

  get rounds(): number {
    return this.#rounds
  }

  readonly use = async (user: User): Promise<void> => {
    const counters = new Counters(user)
    const latches = new Latches(user)
    const value = valueOf(user)
    for (let round = 1; !user.isStopping(); round++) {
      const burst = user.random.pick([1, 1, 4])
      await Promise.all(Array.from({ length: burst }, () => this.#add(user, counters)))
      await Promise.all(Array.from({ length: burst }, () => this.#change(user, value)))
      if (user.random.chance(0.2)) await this.#openLatch(user, latches, round)
      this.#rounds++
      await sleep(user.world, 400)
      await rest(user)
    }
  }

  judge(): InvariantViolation | undefined {
    return (
      this.#additions.judge(count, this.#last.count) ?? this.#changes.judge('value', BigInt(this.#last.value))
    )
  }

  reached(): Readonly<Record<string, number>> {
    return {
      ...this.#counts,
      additions: this.#additions.sureCount,
      unknownAdditions: this.#additions.unknownCount,
      changes: this.#changes.sureCount,
      unknownChanges: this.#changes.unknownCount,
    }
  }

  async #add(user: User, counters: Counters): Promise<void> {
    const delta = BigInt(user.random.integer(1, 9))
    const add = (): Promise<unknown> => counters.add(count, delta)
    await tried(user, () => this.#additions.add(delta, add), ['conflict'])
  }

  /** By one, as chance has it: in a loop, by what it was, or by its revision. */
  async #change(user: User, value: AtomicValue<number>): Promise<void> {
    const call = user.random.pick([
      () => value.update((current = 0) => current + 1),
      async () => {
        const current = await value.get()
        return await value.compareAndSet(current, (current ?? 0) + 1)
      },
      async () => {
        const state = await value.state()
        return await value.setIfRevision(state?.revision ?? 0, (state?.value ?? 0) + 1)
      },
    ])
    await tried(user, () => this.#changes.add(1n, call), ['conflict'])
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
