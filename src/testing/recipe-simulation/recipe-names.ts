import type { CreateWorkload } from './workload.ts'
import { createBarrierWorkload } from './workloads/barriers.ts'
import { createConfigWorkload } from './workloads/config.ts'
import { createCounterWorkload } from './workloads/counters.ts'
import { createCronWorkload } from './workloads/cron.ts'
import { createElectionWorkload } from './workloads/election.ts'
import { createIdWorkload } from './workloads/ids.ts'
import { createLeaseWorkload } from './workloads/leases.ts'
import { createLockWorkload } from './workloads/lock.ts'
import { createDiscoveryWorkload } from './workloads/discovery.ts'
import {
  createMultiLockWorkload,
  createReadWriteLockWorkload,
  createSemaphoreWorkload,
} from './workloads/shared-rights.ts'
import { createTreeWorkload } from './workloads/tree.ts'

/** Every recipe that the simulator knows, by the name that `althing sim` takes. */
export const workloads = {
  lock: createLockWorkload,
  election: createElectionWorkload,
  discovery: createDiscoveryWorkload,
  leases: createLeaseWorkload,
  cron: createCronWorkload,
  ids: createIdWorkload,
  semaphore: createSemaphoreWorkload,
  'read-write-lock': createReadWriteLockWorkload,
  'multi-lock': createMultiLockWorkload,
  counters: createCounterWorkload,
  barriers: createBarrierWorkload,
  tree: createTreeWorkload,
  config: createConfigWorkload,
} as const satisfies Readonly<Record<string, CreateWorkload>>

export type RecipeName = keyof typeof workloads

export const recipeNames = Object.keys(workloads) as readonly RecipeName[]
