import { openClusterStore } from '../../engines/cluster/cluster-store.ts'
import type { CommittedLog } from '../invariants/committed-log.ts'
import { type ClientFault, ClientFaults } from '../store-simulation/client-faults.ts'
import { StoreCluster } from '../store-simulation/store-cluster.ts'
import { Survival } from '../store-simulation/survival.ts'
import { FaultInjector } from '../world/fault-injector.ts'
import { type BedOptions, countsOf, processOptions, type RecipeBed } from './recipe-bed.ts'
import { type NamedProgram, UserProcess, type UserProcessOptions } from './user-process.ts'

const userFaults: readonly ClientFault[] = [
  'crash',
  'pause',
  'block-loop',
  'isolate',
  'clock-drift',
  'clock-step',
]

/** Three nodes, and each user on a machine of its own. */
export class ClusterBed implements RecipeBed {
  readonly hasRenewalThread = true
  readonly lateMs = 2_500
  readonly #options: BedOptions
  readonly #cluster: StoreCluster
  readonly #injector: FaultInjector
  #processOptions: UserProcessOptions | undefined
  #userFaults: ClientFaults | undefined
  #users: readonly UserProcess[] = []
  #observers: readonly UserProcess[] = []
  #first: UserProcess | undefined
  #next: UserProcess | undefined

  constructor(options: BedOptions) {
    this.#options = options
    const { simulation, configuration } = options
    this.#cluster = new StoreCluster({
      simulation,
      configuration: configuration.store,
      violated: options.violated,
      harmless: (process) => this.#injector.rebuilt(process),
    })
    this.#injector = new FaultInjector(simulation, {
      processes: this.#cluster.processes,
      hosts: () => [...this.#cluster.hosts, ...this.#userHosts()],
      plan: configuration.faultPlan,
      rule: new Survival(this.#cluster, () => simulation.nowMs),
      onDamage: (process, damage) => this.#cluster.damaged(process, damage),
    })
  }

  get log(): CommittedLog {
    return this.#cluster.own.log
  }

  get steps(): number {
    return this.#cluster.own.view.steps
  }

  get areUsersDone(): boolean {
    return this.#users.every(({ isDone }) => isDone)
  }

  get areObserversDone(): boolean {
    return this.#observers.every(({ isDone }) => isDone)
  }

  start(users: readonly NamedProgram[], observers: readonly NamedProgram[]): void {
    const { configuration, simulation } = this.#options
    this.#users = users.map((each) => this.#spawn(each))
    this.#observers = observers.map((each) => this.#spawn(each))
    this.#injector.start()
    this.#userFaults = new ClientFaults({
      simulation,
      processes: [...this.#users, ...this.#observers].map(({ process }) => process),
      kinds: userFaults,
      intervalMsMean: configuration.userFaultMsMean,
      driftMax: configuration.driftMax,
      stepMsMax: configuration.stepMsMax,
      crashed: () => {},
    })
    this.#userFaults.start()
  }

  heal(): void {
    this.#injector.heal()
    this.#userFaults?.heal()
  }

  enter(first: NamedProgram): void {
    this.#first = this.#spawn(first)
  }

  queue(next: NamedProgram): void {
    this.#next = this.#spawn(next)
  }

  killFirst(): void {
    this.#first?.process.crash('kill')
  }

  killNext(): void {
    this.#next?.process.crash('kill')
  }

  faults(): Record<string, number> {
    return {
      ...countsOf(this.#injector.counts),
      ...countsOf(this.#userFaults?.counts ?? new Map(), 'client-'),
    }
  }

  reached(): Record<string, number> {
    const { view } = this.#cluster.own
    const restarts = [...view.members.values()].map(({ life }) => Math.max(0, life - 1))
    return { restarts: restarts.reduce((sum, count) => sum + count, 0) }
  }

  #userHosts(): string[] {
    if (!this.#options.configuration.store.partsClients) return []
    return [...this.#users, ...this.#observers].map(({ process }) => process.host)
  }

  #spawn(program: NamedProgram): UserProcess {
    this.#processOptions ??= processOptions(this.#options, {
      openStore: async (world, name) =>
        openClusterStore(world, {
          endpoints: this.#options.simulation.random(`endpoints/${name}`).shuffle(this.#cluster.endpoints),
          timeoutMs: this.#options.configuration.store.callTimeoutMs,
        }),
      mayEnd: () => false,
    })
    return new UserProcess(this.#processOptions, program.name, [program])
  }
}
