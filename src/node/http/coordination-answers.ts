import { z } from 'zod'
import type { ForcedLockRelease, LockExplanation, LockParty } from '../../coordination/locks/lock-types.ts'
import type {
  ForcedPermitRelease,
  LimitChange,
  PermitParty,
  SemaphoreExplanation,
} from '../../coordination/semaphores/semaphore-types.ts'
import { type Describes, whole } from './answers.ts'
import type { ElectionOverview } from './election-overview.ts'

/** Of both kinds of forced release. */
const forcedBy = {
  name: z.string(),
  token: whole,
  by: z.string(),
  reason: z.string(),
  atMs: z.number(),
}

const party = {
  token: whole.describe('fencing token'),
  owner: z.string().optional(),
  note: z.string().optional(),
  traceId: z.string().optional(),
  ttlMs: z.number(),
  lease: whole,
  queuedAtMs: z.number(),
  heldSinceMs: z.number().optional(),
  sinceRenewalMs: z.number().optional(),
  endsInMs: z.number().optional(),
}

const lockParty = z
  .object({ ...party, mode: z.enum(['write', 'read']) })
  .meta({ id: 'LockParty' }) satisfies Describes<LockParty>

/** `holder`, the first of the holders, is left out of the JSON when nobody holds the lock. */
export const lock = z
  .object({
    name: z.string(),
    holder: lockParty.optional(),
    holders: z.array(lockParty).describe('one writer, or all readers'),
    waiters: z.array(lockParty).describe('in the order in which they will get it'),
    revision: whole,
  })
  .meta({ id: 'Lock' }) satisfies Describes<
  Omit<LockExplanation, 'holder'> & { holder?: LockParty | undefined }
>

export const forcedRelease = z.object({
  ...forcedBy,
  holder: lockParty,
}) satisfies Describes<ForcedLockRelease>

const permitParty = z
  .object({ ...party, permits: whole })
  .meta({ id: 'PermitParty' }) satisfies Describes<PermitParty>

/** `limit` and `limitSetBy` are left out of the JSON where they are not known. */
export const semaphore = z
  .object({
    name: z.string(),
    limit: whole.optional().describe("in force now: an operator's, else what the first in line says"),
    limitSetBy: z.string().optional().describe('there where an operator has set it'),
    taken: whole.describe('permits that are held; more than the limit only after it was lowered'),
    holders: z.array(permitParty).describe('in the order of their coming'),
    waiters: z.array(permitParty).describe('in the order in which they will get theirs'),
    revision: whole,
  })
  .meta({ id: 'Semaphore' }) satisfies Describes<
  Omit<SemaphoreExplanation, 'limit' | 'limitSetBy'> & {
    limit?: number | undefined
    limitSetBy?: string | undefined
  }
>

export const forcedPermitRelease = z.object({
  ...forcedBy,
  holder: permitParty,
}) satisfies Describes<ForcedPermitRelease>

export const limitChange = z.object({
  name: z.string(),
  limit: whole.optional().describe('absent: the limit of an operator was taken back'),
  formerLimit: whole.optional().describe('which an operator had set before'),
  by: z.string(),
  reason: z.string(),
  atMs: z.number(),
}) satisfies Describes<LimitChange>

export const election = z
  .object({
    name: z.string(),
    leader: z
      .object({ term: whole, candidate: z.string(), value: z.string(), electedAtMs: z.number() })
      .nullable(),
    candidates: z.array(z.object({ candidate: z.string(), since: z.number(), isHeir: z.boolean() })),
  })
  .meta({ id: 'Election' }) satisfies Describes<ElectionOverview>
