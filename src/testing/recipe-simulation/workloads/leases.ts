import { bytesFromText } from '../../../base/bytes.ts'
import type { KeptLease } from '../../../coordination/leases/kept-lease.ts'
import type { InvariantViolation } from '../../invariants/violation.ts'
import type { WatchedRight } from '../recipe-observations.ts'
import { insisted, rest, sleep, succeeded, tried, type User, useWhile } from '../user.ts'
import type { CreateWorkload, Succession, Workload, WorkloadStage } from '../workload.ts'

const prefix = 'leases/'
const losses = ['lease-not-found', 'lost']

/** Leases are kept with keys on them, and released or forgotten with their process; a kept lease is in the store. */
class LeaseWorkload implements Workload {
  readonly leavesNothingUnder = [prefix]
  readonly succession: Succession
  readonly #stage: WorkloadStage
  readonly #counts = { kept: 0, revokedByOthers: 0 }
  readonly #kept = new Set<{ readonly user: string; readonly lease: KeptLease }>()
  /** By somebody else than the holder. */
  readonly #revoked = new Set<number>()
  #rounds = 0

  constructor(stage: WorkloadStage) {
    this.#stage = stage
    const { ttlMs } = stage.configuration
    const key = `${prefix}mortal`
    this.succession = {
      first: async (user) => {
        const lease = await insisted(user, () => user.keeper.keep(ttlMs))
        await insisted(user, () => putOn(user, lease, key))
      },
      next: async (user) => {
        while ((await insisted(user, () => user.store.range({ key }))).kvs.length > 0)
          await sleep(user.world, 20)
      },
      withinMs: ttlMs,
    }
  }

  get rounds(): number {
    return this.#rounds
  }

  readonly use = async (user: User): Promise<void> => {
    while (!user.isStopping()) {
      await this.#keepSome(user)
      await rest(user)
    }
  }

  judge(): InvariantViolation | undefined {
    return undefined
  }

  reached(): Readonly<Record<string, number>> {
    return this.#counts
  }

  async #keepSome(user: User): Promise<void> {
    const { random, keeper, configuration } = user
    const count = random.pick([1, 1, 3, 20])
    const kept = await Promise.all(
      Array.from({ length: count }, (_, i) =>
        tried(user, () => keeper.keep(configuration.ttlMs * random.pick([1, 1, 3])), ['timeout']).then(
          (lease) => lease && this.#hold(user, lease, i),
        ),
      ),
    )
    const leases = kept.filter((lease) => lease !== undefined)
    await useWhile(
      user,
      () => leases.some((lease) => lease.isValid),
      async () => {},
    )
    const victim = leases[0]
    if (victim !== undefined && random.chance(0.1)) {
      // As an operator would, who knows no better: the keeper hears of it at its next renewal.
      this.#revoked.add(victim.id)
      if (await succeeded(user, () => user.store.revokeLease(victim.id), losses))
        this.#counts.revokedByOthers++
    }
    await Promise.all(leases.map((lease) => succeeded(user, () => lease.release(), losses)))
    this.#rounds++
  }

  async #hold(user: User, lease: KeptLease, number: number): Promise<KeptLease> {
    this.#counts.kept++
    const right: WatchedRight = {
      name: `lease ${lease.id}`,
      token: lease.id,
      lost: lease.lost,
      get isHeld() {
        return lease.isValid
      },
    }
    user.observations.shared(user, right)
    this.#kept.add({ user: user.name, lease })
    await succeeded(user, () => putOn(user, lease, `${prefix}${user.name}/${number}`), losses)
    return lease
  }

  look(): void {
    const inStore = new Set(this.#stage.log.model.leases().map(({ lease }) => lease))
    for (const each of this.#kept) {
      const { user, lease } = each
      if (!lease.isValid || this.#revoked.has(lease.id)) this.#kept.delete(each)
      else if (!inStore.has(lease.id))
        this.#stage.observations.violated(
          'held-is-in-store',
          `${user} is told that it has lease ${lease.id}, which the store has no more`,
        )
    }
  }

  died(user: string): void {
    for (const each of this.#kept) if (each.user.startsWith(`${user}.`)) this.#kept.delete(each)
  }
}

function putOn({ store }: User, lease: KeptLease, key: string): Promise<unknown> {
  return store.txn({ then: [{ op: 'put', key, value: bytesFromText('kept'), lease: lease.id }] })
}

export const createLeaseWorkload: CreateWorkload = (stage) => new LeaseWorkload(stage)
