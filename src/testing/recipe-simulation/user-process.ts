import { createDeferred } from '../../base/deferred.ts'
import type { Store } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { LeaseKeeper } from '../../coordination/leases/lease-keeper.ts'
import type { SimulatedProcess } from '../world/simulated-process.ts'
import type { Simulation } from '../world/simulation.ts'
import type { RecipeConfiguration } from './recipe-configuration.ts'
import type { RecipeObservations } from './recipe-observations.ts'
import type { UserProgram } from './user.ts'

export interface NamedProgram {
  readonly name: string
  readonly program: UserProgram
}

export interface UserProcessOptions {
  readonly simulation: Simulation
  readonly configuration: RecipeConfiguration
  readonly observations: RecipeObservations
  /** The store as this process has it. What it calls `failed` with ends the process. */
  openStore(world: World, name: string, failed: (error: unknown) => void): Promise<Store>
  /** True when the process may end by itself for this. */
  mayEnd(error: unknown): boolean
  /** Users of this process have died. */
  died(user: string): void
  isStopping(): boolean
  isClosing(): boolean
}

/** One process with users in it. Started anew after a crash, their programs begin again under new names. */
export class UserProcess {
  readonly process: SimulatedProcess
  readonly #options: UserProcessOptions
  readonly #name: string
  #programs: readonly NamedProgram[]
  #left = 0

  constructor(options: UserProcessOptions, name: string, programs: readonly NamedProgram[]) {
    this.#options = options
    this.#name = name
    this.#programs = programs
    this.process = options.simulation.process(name, (world) => this.#run(world), {
      acceptExit: ({ error }) => options.mayEnd(error),
    })
  }

  /** All programs came to their end in the present life of the process. */
  get isDone(): boolean {
    return this.process.isRunning && this.#left === 0
  }

  /** Kills the process, and starts it with other users in it. */
  restartWith(programs: readonly NamedProgram[]): void {
    this.process.crash('kill')
    this.#programs = programs
    this.#left = programs.length
    this.process.start()
  }

  async #run(world: World): Promise<void> {
    const { died, openStore } = this.#options
    const programs = this.#programs
    this.#left = programs.length
    void this.process.exited.then(() => {
      this.#left = programs.length
      for (const { name } of programs) died(name)
    })
    const failed = createDeferred<never>()
    failed.promise.catch(() => {})
    const store = await openStore(world, this.#name, (error) => failed.reject(error))
    const { maxStallMs, sharesKeeper } = this.#options.configuration
    const newKeeper = (): LeaseKeeper => new LeaseKeeper(store, world, { maxStall: maxStallMs })
    const shared = sharesKeeper ? newKeeper() : undefined
    const running = programs.map(async (each) => {
      const keeper = shared ?? newKeeper()
      await this.#runOne(each, world, store, keeper)
      if (shared === undefined) await keeper.close()
      this.#left--
    })
    await Promise.race([Promise.all(running), failed.promise])
    await shared?.close()
    await store.close()
  }

  async #runOne(
    { name, program }: NamedProgram,
    world: World,
    store: Store,
    keeper: LeaseKeeper,
  ): Promise<void> {
    const { simulation, configuration, observations, isStopping, isClosing } = this.#options
    const life = `${name}.${this.process.startCount}`
    await program({
      world,
      store,
      keeper,
      name: life,
      process: this.#name,
      random: simulation.random(`user/${life}`),
      configuration,
      observations,
      nowMs: () => simulation.nowMs,
      isStopping,
      isClosing,
    })
  }
}
