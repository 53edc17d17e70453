import type { CommittedLog } from '../invariants/committed-log.ts'
import type { InvariantViolation } from '../invariants/violation.ts'
import type { Simulation } from '../world/simulation.ts'
import type { RecipeConfiguration } from './recipe-configuration.ts'
import type { RecipeObservations } from './recipe-observations.ts'
import type { NamedProgram, UserProcessOptions } from './user-process.ts'

/** What the beds of all engines are made of. */
export interface BedOptions {
  readonly simulation: Simulation
  readonly configuration: RecipeConfiguration
  violated(violation: InvariantViolation): void
  observations(): RecipeObservations
  died(user: string): void
  isStopping(): boolean
  isClosing(): boolean
}

/** Where a recipe runs: an engine, processes with users in them, and faults. */
export interface RecipeBed {
  /** All that the store committed. */
  readonly log: CommittedLog
  /** A thread renews leases here, which a blocked loop does not hold up. */
  readonly hasRenewalThread: boolean
  /** So much later than the ttl may an end be seen: resolution of expiry, election of a leader, start of a process. */
  readonly lateMs: number
  /** Users and faults set to work. */
  start(users: readonly NamedProgram[], observers: readonly NamedProgram[]): void
  /** All faults end, and every process runs. */
  heal(): void
  readonly areUsersDone: boolean
  readonly areObserversDone: boolean
  /** Lets the first of a succession begin. */
  enter(first: NamedProgram): void
  /** Lets the next wait for it, where it can. */
  queue(next: NamedProgram): void
  /** Kills the first. What was to wait for it, and cannot before, begins now. */
  killFirst(): void
  /** Kills the next one too. The store goes on. */
  killNext(): void
  /** How often each class of faults really happened. */
  faults(): Record<string, number>
  reached(): Record<string, number>
  readonly steps: number
}

export function processOptions(
  options: BedOptions,
  own: Pick<UserProcessOptions, 'openStore' | 'mayEnd'>,
): UserProcessOptions {
  const { simulation, configuration, died, isStopping, isClosing } = options
  const observations = options.observations()
  return { simulation, configuration, observations, died, isStopping, isClosing, ...own }
}

export function countsOf(counts: ReadonlyMap<string, number>, prefix = ''): Record<string, number> {
  return Object.fromEntries(
    [...counts].filter(([, count]) => count > 0).map(([name, count]) => [`${prefix}${name}`, count]),
  )
}
