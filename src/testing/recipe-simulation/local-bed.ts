import type { Store } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { type LocalStore, openLocalStore } from '../../engines/local/local-store.ts'
import type { CommittedLog } from '../invariants/committed-log.ts'
import { GroupUnderTest } from '../store-simulation/group-under-test.ts'
import { isDiskFailure } from '../store-simulation/store-cluster.ts'
import { FaultInjector } from '../world/fault-injector.ts'
import type { SurvivabilityRule } from '../world/survivability.ts'
import { type BedOptions, countsOf, processOptions, type RecipeBed } from './recipe-bed.ts'
import { type NamedProgram, UserProcess } from './user-process.ts'

/** It may stop at any moment, for it has what it had written. It has only one copy of that. */
const rule: SurvivabilityRule = { mayStop: () => true, mayDamage: () => false }

/** One process, with a durable store and all the users in it. */
export class LocalBed implements RecipeBed {
  readonly hasRenewalThread = false
  readonly lateMs = 1_500
  readonly #options: BedOptions
  readonly #group: GroupUnderTest
  #app: UserProcess | undefined
  #injector: FaultInjector | undefined
  #next: NamedProgram | undefined

  constructor(options: BedOptions) {
    this.#options = options
    const { simulation, violated } = options
    this.#group = new GroupUnderTest({ id: 1, founders: [1], nowMs: () => simulation.nowMs, violated })
  }

  get log(): CommittedLog {
    return this.#group.log
  }

  get steps(): number {
    return this.#group.view.steps
  }

  /** They end together. */
  get areUsersDone(): boolean {
    return this.#app?.isDone === true
  }

  get areObserversDone(): boolean {
    return this.areUsersDone
  }

  start(users: readonly NamedProgram[], observers: readonly NamedProgram[]): void {
    const { simulation, configuration } = this.#options
    const own = processOptions(this.#options, {
      openStore: (world, _name, failed) => this.#open(world, failed),
      mayEnd: isDiskFailure,
    })
    this.#app = new UserProcess(own, 'app', [...users, ...observers])
    this.#injector = new FaultInjector(simulation, {
      processes: [this.#app.process],
      plan: configuration.faultPlan,
      rule,
    })
    this.#injector.start()
  }

  heal(): void {
    this.#injector?.heal()
  }

  enter(first: NamedProgram): void {
    this.#app?.restartWith([first])
  }

  queue(next: NamedProgram): void {
    this.#next = next
  }

  killFirst(): void {
    if (this.#next !== undefined) this.#app?.restartWith([this.#next])
  }

  killNext(): void {
    this.#app?.restartWith([{ name: 'nobody', program: () => new Promise(() => {}) }])
  }

  faults(): Record<string, number> {
    return countsOf(this.#injector?.counts ?? new Map())
  }

  reached(): Record<string, number> {
    return { restarts: (this.#app?.process.startCount ?? 1) - 1 }
  }

  async #open(world: World, failed: (error: unknown) => void): Promise<Store> {
    const { snapshotEntries, snapshotAgeMs, keepRevisions, segmentBytes, snapshotBlockBytes } =
      this.#options.configuration.store
    let store: LocalStore | undefined
    const observer = this.#group.observe(1, { model: () => store?.host.model, isFull: () => false })
    store = await openLocalStore({
      world,
      directory: 'store',
      snapshotEntries,
      snapshotAgeMs,
      keepRevisions,
      files: { segmentBytes, snapshotBlockBytes, spaceLowBytes: segmentBytes },
      observer: { ...observer, failed },
    })
    return store
  }
}
