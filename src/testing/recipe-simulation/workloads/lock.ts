import { bytesFromText } from '../../../base/bytes.ts'
import { fencedTxn } from '../../../coordination/fencing.ts'
import { LockService } from '../../../coordination/locks/lock.ts'
import { lockQueueRange } from '../../../coordination/locks/lock-entry.ts'
import type { Lock } from '../../../coordination/locks/lock-types.ts'
import { checkFirstInLine } from '../../invariants/first-in-line.ts'
import { checkFencedWrites, checkLockExclusive } from '../../invariants/lock-exclusive.ts'
import type { InvariantViolation } from '../../invariants/violation.ts'
import { guardedKey } from '../../store-simulation/lock-client.ts'
import { insisted, rest, succeeded, tried, type User, useWhile } from '../user.ts'
import type { CreateWorkload, Succession, Workload, WorkloadStage } from '../workload.ts'

/** The own place was lost on the way, or the lock while it was used. */
const losses = ['lost', 'lease-not-found', 'stale-token']

/** Locks are taken, extended, entered again and written under; some write after they lost them. */
class LockWorkload implements Workload {
  readonly leavesNothingUnder = ['/althing/locks/']
  readonly succession: Succession
  readonly #stage: WorkloadStage
  readonly #counts = { extended: 0, reentered: 0, staleRefused: 0, gaveUpWaiting: 0, waited: 0 }
  readonly #held = new Set<{ readonly user: string; readonly lock: Lock }>()
  #rounds = 0

  constructor(stage: WorkloadStage) {
    this.#stage = stage
    const { ttlMs } = stage.configuration
    const take = async (user: User): Promise<void> => {
      const service = new LockService(user)
      const wait = { ttl: ttlMs, waitTimeout: '1m' } as const
      this.#acquired(user, await insisted(user, () => service.acquire('lock1', wait)))
    }
    this.succession = {
      first: take,
      next: take,
      withinMs: ttlMs,
    }
  }

  get rounds(): number {
    return this.#rounds
  }

  readonly use = async (user: User): Promise<void> => {
    const service = new LockService(user)
    while (!user.isStopping()) {
      await this.#holdOnce(user, service)
      await rest(user)
    }
    await service.close()
  }

  /** Whoever is told that it has a lock is the first in its line. */
  look(): void {
    for (const each of this.#held) {
      if (!each.lock.isHeld) this.#held.delete(each)
      else this.#mustBeFirst(each.user, each.lock)
    }
  }

  died(user: string): void {
    for (const each of this.#held) if (each.user.startsWith(`${user}.`)) this.#held.delete(each)
  }

  judge(): InvariantViolation | undefined {
    const { observations, configuration, log } = this.#stage
    const names = Array.from({ length: configuration.things }, (_, i) => `lock${i + 1}`)
    const guarded = new Map(names.map((name) => [guardedKey(name), name]))
    return checkLockExclusive(observations.rights.tenures) ?? checkFencedWrites(guarded, log)
  }

  reached(): Readonly<Record<string, number>> {
    return this.#counts
  }

  async #holdOnce(user: User, service: LockService): Promise<void> {
    const { random, configuration } = user
    const name = `lock${random.integer(1, configuration.things)}`
    const owner = random.chance(0.3) ? { owner: user.name } : {}
    const ttl = random.pick([1, 2]) * configuration.ttlMs
    const lock = await this.#take(user, service, name, { ttl, ...owner })
    if (lock === undefined) return
    this.#acquired(user, lock)
    const inner =
      'owner' in owner && random.chance(0.5) ? await this.#reenter(user, service, lock) : undefined
    let writes = 0
    await useWhile(
      user,
      () => lock.isHeld,
      async () => {
        await this.#write(user, lock, `${user.name}-${++writes}`)
        if (random.chance(0.1)) await this.#extend(user, lock)
      },
    )
    if (!lock.isHeld || random.chance(0.3)) await this.#writeLate(user, lock)
    user.observations.look()
    for (const each of inner === undefined ? [lock] : [inner, lock]) {
      // Told or not: the user has done with it, and its lease tells the store in the end.
      await succeeded(user, () => each.release(), losses)
    }
    this.#rounds++
  }

  async #take(
    user: User,
    service: LockService,
    name: string,
    options: { readonly ttl: number; readonly owner?: string },
  ): Promise<Lock | undefined> {
    const { random } = user
    if (random.chance(0.15))
      return (await tried(user, () => service.tryAcquire(name, options), losses)) ?? undefined
    const waitTimeout = random.pick([500, 2_000, 6_000])
    const signal = random.chance(0.1) ? { signal: this.#impatience(user) } : {}
    const startedMs = user.nowMs()
    const lock = await tried(
      user,
      () => service.acquire(name, { ...options, waitTimeout, ...signal }),
      losses,
    )
    if (lock === undefined) this.#counts.gaveUpWaiting++
    else if (user.nowMs() - startedMs > 100) this.#counts.waited++
    return lock
  }

  #impatience({ world, random }: User): AbortSignal {
    const controller = new AbortController()
    world.timers.after(random.integer(1, 1_500), () => controller.abort())
    return controller.signal
  }

  #acquired(user: User, lock: Lock): void {
    user.observations.acquired(user, lock)
    this.#held.add({ user: user.name, lock })
    if (lock.isHeld) this.#mustBeFirst(user.name, lock)
  }

  #mustBeFirst(user: string, { name, fence }: Lock): void {
    const violation = checkFirstInLine(user, fence, lockQueueRange(name), this.#stage.log.model)
    if (violation !== undefined) this.#stage.observations.report(violation)
  }

  async #reenter(user: User, service: LockService, lock: Lock): Promise<Lock | undefined> {
    const inner = await tried(
      user,
      () => service.acquire(lock.name, { owner: user.name, waitTimeout: 500 }),
      losses,
    )
    if (inner !== undefined && inner.token === lock.token) this.#counts.reentered++
    else if (inner !== undefined) this.#acquired(user, inner)
    return inner
  }

  async #extend(user: User, lock: Lock): Promise<void> {
    const { random, configuration } = user
    const ttl = random.pick([1, 2]) * configuration.ttlMs
    if (await succeeded(user, () => lock.extend(ttl), losses)) this.#counts.extended++
  }

  async #write(user: User, lock: Lock, what: string): Promise<void> {
    await tried(user, () => lock.txn({ then: [putOf(lock, what)] }), losses)
  }

  /** As a program would that knows nothing of its loss: only the store can refuse it. */
  async #writeLate(user: User, lock: Lock): Promise<void> {
    const isStale = !lock.isHeld
    const then = [putOf(lock, `${user.name}-late`)]
    const isWritten = await succeeded(user, () => fencedTxn(user.store, lock.fence, { then }), losses)
    if (isStale && !isWritten) this.#counts.staleRefused++
  }
}

function putOf(lock: Lock, what: string): { op: 'put'; key: string; value: Uint8Array } {
  return { op: 'put', key: guardedKey(lock.name), value: bytesFromText(`${lock.token}:${what}`) }
}

export const createLockWorkload: CreateWorkload = (stage) => new LockWorkload(stage)
