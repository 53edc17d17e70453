import type { CommittedLog } from '../invariants/committed-log.ts'
import type { InvariantViolation } from '../invariants/violation.ts'
import type { RecipeConfiguration } from './recipe-configuration.ts'
import type { RecipeObservations } from './recipe-observations.ts'
import type { UserProgram } from './user.ts'

/** What a workload may look at, without being a user. */
export interface WorkloadStage {
  readonly configuration: RecipeConfiguration
  readonly observations: RecipeObservations
  /** The truth: all that the store committed. */
  readonly log: CommittedLog
  nowMs(): number
}

/** One recipe at work: what its users do, what they record, and what must hold. */
export interface Workload {
  /** Goes on until it is asked to stop. All faults may hit it at any moment. */
  readonly use: UserProgram
  /** Watches from outside; goes on until nothing changes any more. */
  readonly observe?: UserProgram
  /** How often users have got through the whole of what they do. */
  readonly rounds: number
  /** The beginnings of keys of which none may be left once all users have gone. */
  readonly leavesNothingUnder: readonly string[]
  /** Where the death of one lets another have what it had, within the ttl. */
  readonly succession?: Succession
  /** Called often, at any moment of true time. Must change nothing. */
  look?(): void
  /** A user's process died. */
  died?(user: string): void
  /** All observers know the last state. */
  hasConverged?(): boolean
  /** Of the whole run, once it has ended. */
  judge(): InvariantViolation | undefined
  /** How often things happened that should happen in some runs. */
  reached(): Readonly<Record<string, number>>
}

export interface Succession {
  /** Resolves when the user has it. It is then killed. */
  readonly first: UserProgram
  /** Resolves when the death of the first has been made good. On engine `cluster` it is at it before the first dies. */
  readonly next: UserProgram
  /** Time that it may take: the ttl. */
  readonly withinMs: number
}

export type CreateWorkload = (stage: WorkloadStage) => Workload
