import { discoveryRequirements } from './discovery.ts'
import { electionRequirements } from './election.ts'
import type { Requirements } from './guarantees.ts'
import { lockRequirements } from './lock.ts'

/** Every recipe of this folder, with what it needs of a store. */
export const recipes: readonly Requirements[] = [
  lockRequirements,
  electionRequirements,
  discoveryRequirements,
]
