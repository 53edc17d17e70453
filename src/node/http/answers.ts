import { z } from 'zod'
import { errorCodes, type ErrorCode } from '../../contracts/errors.ts'
import type { CheckSpec } from '../../coordination/discovery/check-types.ts'
import type { ServiceInstance } from '../../coordination/discovery/discovery-types.ts'
import type { ForcedLockRelease, LockExplanation, LockParty } from '../../coordination/locks/lock-types.ts'
import type {
  ForcedPermitRelease,
  LimitChange,
  PermitParty,
  SemaphoreExplanation,
} from '../../coordination/semaphores/semaphore-types.ts'
import type { NodeStatus } from '../../engines/cluster/node-status.ts'
import { checks, type Finding } from '../diagnosis/finding.ts'
import type { KeyValueView } from '../key-value-view.ts'
import type { ProcessStatus } from '../supervisor.ts'
import type { ClusterView } from './cluster-view.ts'
import type { ElectionOverview } from './election-overview.ts'
import type { GatewayView } from './gateway-stats.ts'
import type { GroupView } from './group-overview.ts'
import type { KnownServiceView, ServiceView } from './service-overview.ts'

/**
 * The forms of what the API answers, for the OpenAPI document and the tests. `Describes` makes the compiler compare each with the type of the value that is
 * sent, so that a field added there and forgotten here does not pass.
 */
type Plain<T> = T extends readonly (infer Item)[]
  ? Plain<Item>[]
  : T extends object
    ? { -readonly [Key in keyof T]: Plain<T[Key]> }
    : T
export type Describes<T> = z.ZodType<Plain<T>>

const whole = z.number().int()

export const errorAnswer = z
  .object({
    error: z.object({
      code: z.enum(Object.keys(errorCodes) as [ErrorCode, ...ErrorCode[]]),
      message: z.string(),
      retryable: z.boolean(),
      outcome: z
        .enum(['none', 'unknown'])
        .optional()
        .describe('whether what was to be changed may have been'),
      details: z.record(z.string(), z.unknown()).optional(),
    }),
  })
  .meta({ id: 'Error' })

const operationsStatus = z.object({
  store: z
    .object({
      bytes: whole,
      historyBytes: whole.describe('the part of it that compaction can free'),
      quotaBytes: whole,
      state: z.enum(['ok', 'nearly-full', 'full']),
    })
    .describe("the cluster's own store"),
  crowded: z
    .array(
      z.object({
        name: z.string(),
        bytes: whole,
        quotaBytes: whole,
        state: z.enum(['nearly-full', 'full']),
      }),
    )
    .describe('other groups here that are nearly full or full'),
  leaderless: z.array(z.string()).describe('other groups here without a leader, as far as this node knows'),
  troubled: z
    .array(
      z.object({
        name: z.string(),
        trouble: z.enum(['no-majority', 'few-copies', 'moving']),
        forMs: z.number(),
        members: z.array(whole).describe('where its copies belong'),
        voters: z.array(whole).describe('who votes in it, as its leader reported last'),
        silent: z.array(whole).describe('those of them that do not answer'),
        wanted: whole.describe('copies that it could have'),
      }),
    )
    .optional()
    .describe(
      'groups of the cluster that need somebody to see to them, as its leader knows; empty elsewhere',
    ),
  activity: z.object({ reads: whole, writes: whole }).describe('of all groups, since the start'),
  leadership: z
    .object({
      changesTotal: whole,
      changesLastHour: whole,
      forMs: z.number().optional().describe('since the leader, or its absence, has been the same'),
    })
    .describe("of the cluster's own group, as this node sees it"),
  disk: z.object({ freeBytes: z.number().optional(), isLow: z.boolean() }),
  watchers: z
    .object({ setAside: whole, setAsideTotal: whole, resyncsTotal: whole })
    .describe('clients that do not read what they watch, now and since the start'),
  isEligible: z.boolean().describe('may lead: not while it drains, or while its disk is full or slow'),
  hindrances: z.array(z.enum(['draining', 'no-space'])).describe('what keeps it from leading'),
  rateLimitedTotal: whole.describe('requests refused to callers who ask for too much, since the start'),
  access: z.object({ isEnabled: z.boolean(), auditProblem: z.string().optional() }),
  lastBackup: z.object({ atMs: z.number(), revision: whole, bytes: whole }).optional(),
  replicaChecks: z
    .array(
      z.object({
        group: whole,
        name: z.string(),
        atMs: z.number(),
        isSound: z.boolean(),
        faulty: z.array(whole),
        problem: z.string().optional(),
      }),
    )
    .describe('the comparisons of copies that this node has made'),
})

export const nodeStatus = z
  .object({
    id: whole,
    clusterId: z.string(),
    address: z.string(),
    httpAddress: z.string().optional(),
    version: z.string(),
    role: z.enum(['follower', 'pre-candidate', 'candidate', 'leader']),
    term: whole,
    leader: whole.describe('0: unknown'),
    commitIndex: whole,
    appliedIndex: whole,
    lastIndex: whole,
    firstIndex: whole,
    persistedIndex: whole,
    revision: whole,
    compactRevision: whole,
    keys: whole,
    leases: whole,
    watchers: whole,
    clients: whole,
    uptimeMs: z.number(),
    wallMs: z.number().describe("milliseconds since 1970, by the node's clock"),
    vitals: z
      .object({
        loopDelay: z.object({
          meanMs: z.number(),
          p50Ms: z.number(),
          p99Ms: z.number(),
          maxMs: z.number(),
        }),
        diskSyncP50Ms: z.number().optional(),
        diskSyncP99Ms: z.number().optional(),
        certificates: z
          .array(z.object({ file: z.string(), endsWallMs: z.number() }))
          .optional()
          .describe('that the node shows or trusts, and when they end'),
        unreadableCertificates: z
          .array(z.object({ file: z.string(), problem: z.string() }))
          .optional()
          .describe('files of such certificates that cannot be read or parsed now'),
      })
      .optional()
      .describe('how the process does, of late'),
    isReady: z.boolean(),
    problem: z.string().optional(),
    members: z.array(
      z.object({
        id: whole,
        address: z.string(),
        isVoter: z.boolean().describe('false: a learner, which only receives'),
        isConnected: z.boolean(),
        protocol: whole.optional().describe('version of the messages between nodes that it speaks'),
        learnerForMs: z
          .number()
          .optional()
          .describe('on the leader: for how long a member that is to vote has been catching up'),
        matchIndex: whole.optional().describe('on the leader: how far the log of the member is'),
        state: z.enum(['probe', 'replicate', 'snapshot']).optional(),
        sinceReplyMs: z.number().optional().describe('on the leader: since it last heard from the member'),
        hasLostData: z.boolean().optional().describe('it no longer has what it had acknowledged'),
      }),
    ),
    groups: z.object({ copies: whole, leading: whole }).describe('copies here, and how many of them lead'),
    blocked: z.array(whole).describe('members that a fault drill has cut this node off from'),
    operations: operationsStatus.optional(),
  })
  .meta({ id: 'NodeStatus' }) satisfies Describes<NodeStatus>

export const cluster = z
  .object({
    clusterId: z.string(),
    leader: whole.describe('0: no member leads'),
    members: z.array(
      z.object({
        id: whole,
        address: z.string(),
        httpAddress: z.string().optional(),
        status: nodeStatus.nullable().describe('null: it does not answer'),
        clockAheadMs: z
          .number()
          .optional()
          .describe(
            'of its wall clock against that of the node that asked, give or take half of roundTripMs',
          ),
        roundTripMs: z.number().optional(),
      }),
    ),
    at: z.number().describe('milliseconds since 1970'),
  })
  .meta({ id: 'Cluster' }) satisfies Describes<ClusterView>

export const finding = z
  .object({
    check: z.enum(checks),
    severity: z.enum(['ok', 'warning', 'problem']),
    message: z.string(),
    advice: z.string().optional().describe('what to do about it'),
    command: z.string().optional().describe('the command that does it; fill in what stands in capitals'),
    node: whole.optional().describe('the member that it is about; absent: the cluster'),
    subject: z.string().optional().describe('the group or file that it is about'),
    forMs: z.number().optional().describe('for how long it has been so, as far as known'),
  })
  .meta({ id: 'Finding' }) satisfies Describes<Finding>

export const memberList = z
  .object({
    leader: whole,
    members: z.array(
      z.object({
        id: whole,
        address: z.string().optional(),
        role: z.enum(['voter', 'learner', 'none']),
        state: z.enum(['invited', 'joined', 'leaving', 'removed']),
        isAnswering: z.boolean(),
        matchIndex: whole.optional(),
        behind: whole.optional().describe('log entries'),
        replacedBy: whole.optional(),
        expiresWallMs: z.number().optional().describe('when the invitation is void'),
      }),
    ),
  })
  .meta({ id: 'MemberList' })

export const invitation = z
  .object({
    id: whole,
    token: z.string().describe('for `althing join`'),
    expiresWallMs: z.number(),
  })
  .meta({ id: 'Invitation' })

export const group = z
  .object({
    id: whole,
    name: z.string(),
    replicas: whole,
    members: z.array(whole).describe('where the copies belong; the first should lead'),
    isSettled: z.boolean(),
    leader: whole.describe('0: no copy says that it leads'),
    term: whole,
    keys: whole,
    bytes: whole,
    quotaBytes: whole,
    copies: z.array(z.object({ node: whole, isVoter: z.boolean(), behind: whole })),
  })
  .meta({ id: 'Group' }) satisfies Describes<GroupView>

export const item = z
  .object({
    key: z.string().optional(),
    keyBase64: z.string().optional().describe('instead of `key`, when it is not UTF-8'),
    value: z.string().optional(),
    valueBase64: z.string().optional().describe('instead of `value`, when it is not UTF-8'),
    createRevision: whole,
    modRevision: whole,
    version: whole,
    lease: whole.describe('0: none'),
  })
  .meta({ id: 'Item' }) satisfies Describes<KeyValueView>

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
  name: z.string(),
  token: whole,
  by: z.string(),
  reason: z.string(),
  atMs: z.number(),
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
  name: z.string(),
  token: whole,
  by: z.string(),
  reason: z.string(),
  atMs: z.number(),
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

const checkSpec = z.object({
  kind: z.enum(['http', 'tcp', 'script']),
  target: z.string(),
  args: z.array(z.string()).optional(),
  expectStatus: z.tuple([whole, whole]).optional(),
  by: z.enum(['self', 'cluster']),
  removeAfterMs: z.number().optional(),
  intervalMs: z.number(),
  timeoutMs: z.number(),
  unhealthyAfter: whole,
  healthyAfter: whole,
  flapChangesMax: whole,
  flapWindowMs: z.number(),
}) satisfies Describes<CheckSpec>

const instance = z
  .object({
    service: z.string(),
    id: z.string(),
    address: z.string(),
    zone: z.string(),
    version: z.string(),
    weight: z.number(),
    metadata: z.record(z.string(), z.string()),
    state: z.enum(['up', 'draining']),
    health: z.object({
      state: z.enum(['healthy', 'unhealthy', 'unknown']),
      flapping: z.boolean(),
      results: z.array(z.object({ ok: z.boolean(), atMs: z.number(), note: z.string().optional() })),
    }),
    check: checkSpec.optional(),
    registrar: z.enum(['process', 'api']),
    registeredAtMs: z.number(),
    registrationRevision: whole,
    revision: whole,
  })
  .meta({ id: 'ServiceInstance' }) satisfies Describes<ServiceInstance>

export const service = z
  .object({ name: z.string(), instances: z.array(instance) })
  .meta({ id: 'Service' }) satisfies Describes<ServiceView>

export const knownService = service
  .extend({
    revision: whole,
    stale: z
      .boolean()
      .describe('the node has no quorum, or has not heard from it: this is the last that it knew'),
    ageMs: z
      .number()
      .describe('since the node heard from the cluster last; 0 when the answer is of the cluster'),
  })
  .meta({ id: 'KnownService' }) satisfies Describes<KnownServiceView>

export const hostedInstance = instance

export const gateway = z
  .object({
    id: z.string(),
    address: z.string(),
    stats: z.unknown().describe('as the gateway gives it; null when it does not answer'),
    problem: z.string().optional(),
  })
  .meta({ id: 'Gateway' }) satisfies Describes<GatewayView>

export const processStatus = z
  .object({
    name: z.string(),
    kind: z.enum(['node', 'gateway', 'worker', 'load']),
    state: z.enum(['running', 'paused', 'stopped']),
    pid: whole.optional(),
    starts: whole,
    lastExit: z.string().optional(),
  })
  .meta({ id: 'Process' }) satisfies Describes<ProcessStatus>

export const lease = z
  .object({
    lease: whole,
    ttlMs: z.number(),
    keys: z.array(z.string()),
    remainingMs: z.number().optional().describe('on the leader'),
  })
  .meta({ id: 'Lease' })
