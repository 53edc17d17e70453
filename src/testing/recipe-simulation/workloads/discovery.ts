import { Discovery } from '../../../coordination/discovery/discovery.ts'
import type { LiveSet, LiveSetState, Registration } from '../../../coordination/discovery/discovery-types.ts'
import { instanceKey, serviceRange, servicesPrefix } from '../../../coordination/discovery/instance-entry.ts'
import { checkLiveSets, type ObservedSet } from '../../invariants/live-sets-show-the-store.ts'
import { checkLockExclusive } from '../../invariants/lock-exclusive.ts'
import type { InvariantViolation } from '../../invariants/violation.ts'
import type { WatchedRight } from '../recipe-observations.ts'
import { insisted, rest, sleep, succeeded, tried, type User, untilClosing, useWhile } from '../user.ts'
import type { CreateWorkload, Succession, Workload, WorkloadStage } from '../workload.ts'

const losses = ['lost', 'lease-not-found', 'stale-token', 'conflict']

const serviceName = (number: number): string => `service${number}`
/** Before it is stale a set may be out of touch for so long. */
const staleAfterMs = 2_000

/** Instances register, change, report their health, drain, come back and go; observers hold live sets. */
class DiscoveryWorkload implements Workload {
  readonly leavesNothingUnder = [servicesPrefix]
  readonly succession: Succession
  readonly #stage: WorkloadStage
  readonly #counts = { registered: 0, tookOver: 0, reregistered: 0, changed: 0, stale: 0 }
  readonly #observed: ObservedSet[] = []
  /** Live sets of observers that run now, by their name. */
  readonly #sets = new Map<string, LiveSet>()
  #rounds = 0

  constructor(stage: WorkloadStage) {
    this.#stage = stage
    const { ttlMs } = stage.configuration
    this.succession = {
      first: async (user) => {
        const discovery = new Discovery(user)
        const mortal = { service: 'succession', id: 'mortal', address: 'a:1', ttl: ttlMs }
        await insisted(user, () => discovery.register(mortal))
      },
      next: async (user) => {
        const set = new Discovery(user).watch('succession')
        await set.ready
        while (set.current.instances.length > 0 || set.current.revision === 0) await sleep(user.world, 20)
        set.close()
      },
      withinMs: ttlMs,
    }
  }

  get rounds(): number {
    return this.#rounds
  }

  readonly use = async (user: User): Promise<void> => {
    const discovery = new Discovery(user)
    while (!user.isStopping()) {
      await this.#liveOnce(user, discovery)
      await rest(user)
    }
    await discovery.close()
  }

  readonly observe = async (user: User): Promise<void> => {
    const discovery = new Discovery(user)
    for (let i = 1; i <= user.configuration.things; i++) {
      const set = discovery.watch(serviceName(i), { staleAfter: staleAfterMs })
      const name = `${user.name}/${set.service}`
      this.#sets.set(name, set)
      set.subscribe((state) => this.#observe(name, set.service, state))
    }
    await untilClosing(user)
    await discovery.close()
  }

  died(user: string): void {
    for (const name of this.#sets.keys()) if (name.startsWith(`${user}.`)) this.#sets.delete(name)
  }

  hasConverged(): boolean {
    const { configuration, log } = this.#stage
    return (
      this.#sets.size === configuration.observers * configuration.things &&
      [...this.#sets.values()].every(({ service, current }) => {
        const { kvs } = log.model.range({ ...serviceRange(service), keysOnly: true })
        return !current.stale && current.instances.length === kvs.length
      })
    )
  }

  judge(): InvariantViolation | undefined {
    const { observations, configuration, log } = this.#stage
    for (let i = 1; i <= configuration.things; i++) {
      const service = serviceName(i)
      const ofService = this.#observed.filter((each) => each.service === service)
      const violation = checkLiveSets(ofService, serviceRange(service), log.events)
      if (violation !== undefined) return violation
    }
    return checkLockExclusive(observations.rights.tenures)
  }

  reached(): Readonly<Record<string, number>> {
    return { ...this.#counts, sets: this.#observed.length }
  }

  #observe(observer: string, service: string, { instances, stale, revision }: LiveSetState): void {
    if (stale) this.#counts.stale++
    const entries = instances.map(({ id, revision: changedAt }) => ({ id, revision: changedAt }))
    this.#observed.push({ observer, service, revision, entries })
  }

  async #liveOnce(user: User, discovery: Discovery): Promise<void> {
    const { random, configuration } = user
    const isFixed = random.chance(0.5)
    const options = {
      service: serviceName(random.integer(1, configuration.things)),
      ...(isFixed ? { id: `${user.name.split('.')[0]}` } : {}),
      address: `${user.name}:80`,
      ttl: configuration.ttlMs,
      takeOver: isFixed && random.chance(0.7),
      reregister: random.chance(0.7),
    }
    const registration = await tried(user, () => discovery.register(options), losses)
    if (registration === undefined) return
    this.#counts.registered++
    if (options.takeOver) this.#counts.tookOver++
    this.#watch(user, registration)
    await useWhile(
      user,
      () => !registration.lost.aborted,
      async () => {
        const token = registration.instance.registrationRevision
        if (await this.#change(user, registration)) this.#counts.changed++
        if (registration.instance.registrationRevision === token) return
        this.#counts.reregistered++
        this.#watch(user, registration)
      },
    )
    user.observations.look()
    await succeeded(user, () => registration.deregister(), losses)
    this.#rounds++
  }

  #change({ random, ...user }: User, registration: Registration): Promise<boolean> {
    const call = random.pick([
      () => registration.update({ weight: random.integer(0, 10) }),
      () => registration.reportHealth(random.chance(0.7)),
      () => registration.drain(),
    ])
    return succeeded({ random, ...user }, call, ['closed', ...losses])
  }

  /** Each user has ids of its own: only its next life takes one over. */
  #watch(user: User, registration: Registration): void {
    const { service, id, lost, instance } = registration
    const token = instance.registrationRevision
    if (!registration.isRegistered) return
    const right: WatchedRight = {
      name: `${service}/${id}`,
      token,
      fence: { key: instanceKey(service, id), token },
      lost,
      get isHeld() {
        return registration.isRegistered && registration.instance.registrationRevision === token
      },
    }
    user.observations.shared(user, right)
  }
}

export const createDiscoveryWorkload: CreateWorkload = (stage) => new DiscoveryWorkload(stage)
