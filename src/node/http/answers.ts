import { z } from 'zod'
import { errorCodes, type ErrorCode } from '../../contracts/errors.ts'
import type { NodeStatus } from '../../engines/cluster/node-status.ts'
import { checks, type Finding } from '../diagnosis/finding.ts'
import type { KeyValueView } from '../key-value-view.ts'
import type { ProcessStatus } from '../supervisor.ts'
import type { ClusterView } from './cluster-view.ts'
import type { GatewayView } from './gateway-stats.ts'
import type { GroupView } from './group-overview.ts'

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

export const whole = z.number().int()

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
