import { cronRequirements } from './cron/cron.ts'
import { configRequirements } from './config/config.ts'
import { discoveryRequirements } from './discovery/discovery.ts'
import { electionRequirements } from './election/election.ts'
import { atomicRequirements } from './primitives/atomics.ts'
import { barrierRequirements } from './primitives/barriers.ts'
import { counterRequirements } from './primitives/counters.ts'
import { latchRequirements } from './primitives/latches.ts'
import type { Requirements } from './guarantees.ts'
import { lockRequirements } from './locks/lock.ts'
import { semaphoreRequirements } from './semaphores/semaphore.ts'
import { treeRequirements } from './tree/tree.ts'

/** Every recipe of this folder, with what it needs of a store. */
export const recipes: readonly Requirements[] = [
  lockRequirements,
  electionRequirements,
  discoveryRequirements,
  cronRequirements,
  semaphoreRequirements,
  barrierRequirements,
  latchRequirements,
  counterRequirements,
  atomicRequirements,
  configRequirements,
  treeRequirements,
]
