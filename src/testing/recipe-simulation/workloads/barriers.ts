import { barrierRange, Barriers, type DoubleBarrier } from '../../../coordination/primitives/barriers.ts'
import type { Passage } from '../../../coordination/primitives/gathering.ts'
import {
  checkBarrierGenerations,
  type ObservedPassage,
  type WatchedBarrier,
} from '../../invariants/barrier-generations.ts'
import type { InvariantViolation } from '../../invariants/violation.ts'
import { insisted, rest, succeeded, tried, type User, useWhile } from '../user.ts'
import type { CreateWorkload, Succession, Workload, WorkloadStage } from '../workload.ts'

const losses = ['lost', 'lease-not-found']
const couple = 2
/** What a process believes right after a stall, before its timers have fired, nobody can ask it from outside. */
const wakingMs = 100

/** A user between the two barriers of a double barrier, as it is told. */
interface Inside {
  readonly user: User
  readonly stay: DoubleBarrier
  hasLeft: boolean
}

/** Users meet at a barrier, and in the room behind a double one, in which they stay for a while. */
class BarrierWorkload implements Workload {
  readonly leavesNothingUnder = ['/althing/barriers/', '/althing/double-barriers/']
  readonly succession: Succession
  readonly #stage: WorkloadStage
  readonly #gate: WatchedBarrier
  readonly #room: WatchedBarrier
  readonly #passages: ObservedPassage[] = []
  readonly #inside = new Set<Inside>()
  readonly #counts = { passed: 0, entered: 0, leftTogether: 0, waitedInVain: 0 }

  constructor(stage: WorkloadStage) {
    this.#stage = stage
    const { users, ttlMs } = stage.configuration
    this.#gate = barrierOf('gate', Math.min(users, 3), false)
    this.#room = barrierOf('room', couple, true)
    const take = async (user: User): Promise<void> => {
      const barriers = new Barriers(user)
      const options = { parties: couple, ttl: ttlMs }
      // Two at once, as a generation of its own: the next one is let in when both have gone.
      const enter = (): Promise<unknown> => insisted(user, () => barriers.enter('succession', options))
      await Promise.all([enter(), enter()])
    }
    this.succession = { first: take, next: take, withinMs: ttlMs }
  }

  get rounds(): number {
    return this.#passages.length
  }

  readonly use = async (user: User): Promise<void> => {
    const barriers = new Barriers(user)
    let inVain = 0
    while (!user.isStopping()) {
      // Who has waited in vain goes where all go that have.
      const isAtGate = inVain > 0 || user.random.chance(0.5)
      const hasPassed = await (isAtGate ? this.#pass(user, barriers) : this.#stay(user, barriers))
      if (!hasPassed) this.#counts.waitedInVain++
      inVain = hasPassed ? 0 : inVain + 1
      await rest(user)
    }
    await barriers.close()
  }

  died(user: string): void {
    for (const each of this.#inside) if (each.user.name.startsWith(`${user}.`)) this.#inside.delete(each)
  }

  judge(): InvariantViolation | undefined {
    const { events } = this.#stage.log
    return (
      checkBarrierGenerations(this.#gate, this.#passages, events) ??
      checkBarrierGenerations(this.#room, this.#passages, events)
    )
  }

  reached(): Readonly<Record<string, number>> {
    return this.#counts
  }

  async #pass(user: User, barriers: Barriers): Promise<boolean> {
    const cameMs = user.nowMs()
    const { name, parties } = this.#gate
    const passage = await tried(user, () => barriers.wait(name, this.#options(user, parties)), losses)
    if (passage === undefined) return false
    this.#passed(user, this.#gate, cameMs, passage)
    return true
  }

  async #stay(user: User, barriers: Barriers): Promise<boolean> {
    const cameMs = user.nowMs()
    const { name, parties } = this.#room
    const stay = await tried(user, () => barriers.enter(name, this.#options(user, parties)), losses)
    if (stay === undefined) return false
    this.#passed(user, this.#room, cameMs, stay)
    this.#counts.entered++
    const inside = this.#goIn(user, stay)
    await useWhile(
      user,
      () => !stay.lost.aborted,
      async () => {},
    )
    inside.hasLeft = true
    const isAlone = await succeeded(user, () => stay.leave({ waitTimeout: '12s' }), losses)
    this.#inside.delete(inside)
    if (isAlone) this.#allHaveLeft(inside)
    return true
  }

  #options(user: User, parties: number): { parties: number; ttl: number; waitTimeout: number } {
    const { ttlMs: ttl } = user.configuration
    return { parties, ttl, waitTimeout: user.random.pick([3_000, 6_000]) }
  }

  #passed(user: User, barrier: WatchedBarrier, cameMs: number, { generation, index }: Passage): void {
    this.#counts.passed++
    const passedMs = user.nowMs()
    this.#passages.push({ user: user.name, barrier: barrier.name, generation, index, cameMs, passedMs })
  }

  #goIn(user: User, stay: DoubleBarrier): Inside {
    const inside: Inside = { user, stay, hasLeft: false }
    user.observations.shared(user, {
      name: stay.name,
      token: stay.generation,
      lost: stay.lost,
      get isHeld() {
        return !inside.hasLeft && !stay.lost.aborted
      },
    })
    const former = this.#others(inside).find((each) => each.stay.generation !== stay.generation)
    if (former !== undefined)
      this.#violated(inside, `while ${former.user.name} of ${former.stay.generation} was told that it stays`)
    this.#inside.add(inside)
    return inside
  }

  #allHaveLeft(inside: Inside): void {
    this.#counts.leftTogether++
    const other = this.#others(inside).find((each) => each.stay.generation === inside.stay.generation)
    if (other !== undefined) this.#violated(inside, `and left it, while ${other.user.name} had not`)
  }

  /** The others who are told that they stay. Who sleeps, or has just woken, is not asked. */
  #others(inside: Inside): Inside[] {
    return [...this.#inside].filter(
      (each) => each !== inside && !each.hasLeft && !each.stay.lost.aborted && !this.#isWaking(each),
    )
  }

  #isWaking({ user }: Inside): boolean {
    const { observations, nowMs } = this.#stage
    return observations.stalls.some(
      ({ process, untilMs }) => process === user.process && untilMs + wakingMs > nowMs(),
    )
  }

  #violated({ user, stay }: Inside, what: string): void {
    const who = `${user.name} was let into ${stay.name} with generation ${stay.generation}`
    this.#stage.observations.violated('barrier-generations', `${who}, ${what}`)
  }
}

function barrierOf(name: string, parties: number, isDouble: boolean): WatchedBarrier {
  return { name, parties, isDouble, range: barrierRange(name, isDouble) }
}

export const createBarrierWorkload: CreateWorkload = (stage) => new BarrierWorkload(stage)
