import type { Fence } from '../../../coordination/fencing.ts'
import { LockService } from '../../../coordination/locks/lock.ts'
import { SemaphoreService } from '../../../coordination/semaphores/semaphore.ts'
import { checkHeldTogether, type HeldPart, type TogetherRule } from '../../invariants/held-together.ts'
import type { InvariantViolation } from '../../invariants/violation.ts'
import { insisted, rest, succeeded, tried, type User, useWhile } from '../user.ts'
import type { CreateWorkload, Succession, Workload, WorkloadStage } from '../workload.ts'

const losses = ['lost', 'lease-not-found', 'stale-token']
const limit = 3
const lockNames = ['lock1', 'lock2', 'lock3'] as const

/** What a user was given: one right, or several that come and go together. */
interface Holding {
  readonly token: number
  readonly isHeld: boolean
  readonly lost: AbortSignal
  readonly fences: readonly Fence[]
  readonly parts: readonly HeldPart[]
  release(): Promise<void>
}

/** One user's access to the recipe. */
interface Hand {
  /** Something of it, as chance has it. */
  take(): Promise<Holding>
  /** All that there is, so that nobody can have anything beside it. */
  takeAll(waitTimeout: string): Promise<Holding>
  close(): Promise<void>
}

interface SharedKind {
  readonly prefix: string
  readonly rule: TogetherRule
  open(user: User): Hand
}

/** Rights that some may hold together and others may not: who does at any moment is judged by a rule. */
class SharedRightsWorkload implements Workload {
  readonly leavesNothingUnder: readonly string[]
  readonly succession: Succession
  readonly #stage: WorkloadStage
  readonly #kind: SharedKind
  readonly #counts = { beside: 0, gaveUpWaiting: 0 }
  readonly #held = new Set<{ readonly user: string; readonly holding: Holding }>()
  #rounds = 0

  constructor(stage: WorkloadStage, kind: SharedKind) {
    this.#stage = stage
    this.#kind = kind
    this.leavesNothingUnder = [kind.prefix]
    const take = async (user: User): Promise<void> => {
      const hand = kind.open(user)
      this.#given(user, await insisted(user, () => hand.takeAll('1m')))
    }
    this.succession = { first: take, next: take, withinMs: stage.configuration.ttlMs }
  }

  get rounds(): number {
    return this.#rounds
  }

  readonly use = async (user: User): Promise<void> => {
    const hand = this.#kind.open(user)
    while (!user.isStopping()) {
      const holding = await tried(
        user,
        () => (user.random.chance(0.1) ? hand.takeAll('4s') : hand.take()),
        losses,
      )
      if (holding === undefined) this.#counts.gaveUpWaiting++
      else await this.#hold(user, holding)
      await rest(user)
    }
    await hand.close()
  }

  look(): void {
    for (const each of this.#held) if (!each.holding.isHeld) this.#held.delete(each)
    const parts = [...this.#held].map(({ user, holding }) => ({ user, parts: holding.parts }))
    const violation = checkHeldTogether(this.#kind.rule, parts)
    if (violation !== undefined) this.#stage.observations.report(violation)
  }

  died(user: string): void {
    for (const each of this.#held) if (each.user.startsWith(`${user}.`)) this.#held.delete(each)
  }

  judge(): InvariantViolation | undefined {
    return undefined
  }

  reached(): Readonly<Record<string, number>> {
    return this.#counts
  }

  async #hold(user: User, holding: Holding): Promise<void> {
    this.#given(user, holding)
    await useWhile(
      user,
      () => holding.isHeld,
      async () => {},
    )
    user.observations.look()
    await succeeded(user, () => holding.release(), losses)
    this.#rounds++
  }

  #given(user: User, holding: Holding): void {
    for (const [i, fence] of holding.fences.entries())
      user.observations.shared(user, {
        name: holding.parts[i]?.name ?? '',
        token: fence.token,
        fence,
        lost: holding.lost,
        get isHeld() {
          return holding.isHeld
        },
      })
    this.#held.add({ user: user.name, holding })
    this.look()
    if (this.#held.size > 1) this.#counts.beside++
  }
}

const semaphores: SharedKind = {
  prefix: '/althing/semaphores/',
  rule: { kind: 'permits', limit },
  open: (user) => {
    const service = new SemaphoreService(user)
    const take = async (permits: number, waitTimeout: string | number): Promise<Holding> => {
      const { ttlMs: ttl } = user.configuration
      const permit = await service.acquire('permits', { permits, limit, ttl, waitTimeout })
      return holdingOf(permit, [permit.fence], [{ name: 'permits', weight: permits }])
    }
    return {
      take: () => take(user.random.integer(1, limit), user.random.pick([500, 3_000, 6_000])),
      takeAll: (waitTimeout) => take(limit, waitTimeout),
      close: () => service.close(),
    }
  },
}

const readWriteLocks: SharedKind = {
  prefix: '/althing/locks/',
  rule: { kind: 'readers-or-one-writer' },
  open: (user) => {
    const service = new LockService(user)
    const take = async (mode: 'read' | 'write', waitTimeout: string | number): Promise<Holding> => {
      const lock = await service.acquire('book', { mode, ttl: user.configuration.ttlMs, waitTimeout })
      return holdingOf(lock, [lock.fence], [{ name: 'book', weight: mode === 'write' ? 1 : 0 }])
    }
    return {
      take: () => take(user.random.chance(0.6) ? 'read' : 'write', user.random.pick([500, 3_000, 6_000])),
      takeAll: (waitTimeout) => take('write', waitTimeout),
      close: () => service.close(),
    }
  },
}

const multiLocks: SharedKind = {
  prefix: '/althing/locks/',
  rule: { kind: 'permits', limit: 1 },
  open: (user) => {
    const service = new LockService(user)
    const take = async (names: readonly string[], waitTimeout: string | number): Promise<Holding> => {
      const locks = await service.acquireAll(names, { ttl: user.configuration.ttlMs, waitTimeout })
      return holdingOf(
        locks,
        locks.fences,
        locks.fences.map(({ name }) => ({ name, weight: 1 })),
      )
    }
    return {
      take: () => {
        const names = user.random.shuffle(lockNames).slice(0, user.random.integer(1, 3))
        return take(names, user.random.pick([500, 3_000, 6_000]))
      },
      takeAll: (waitTimeout) => take(lockNames, waitTimeout),
      close: () => service.close(),
    }
  },
}

function holdingOf(
  hold: Omit<Holding, 'fences' | 'parts'>,
  fences: readonly Fence[],
  parts: readonly HeldPart[],
): Holding {
  return {
    token: hold.token,
    lost: hold.lost,
    fences,
    parts,
    release: () => hold.release(),
    get isHeld() {
      return hold.isHeld
    },
  }
}

export const createSemaphoreWorkload: CreateWorkload = (stage) => new SharedRightsWorkload(stage, semaphores)
export const createReadWriteLockWorkload: CreateWorkload = (stage) =>
  new SharedRightsWorkload(stage, readWriteLocks)
export const createMultiLockWorkload: CreateWorkload = (stage) => new SharedRightsWorkload(stage, multiLocks)
