import { Counter, Gauge, type Registry } from 'prom-client'

/** What the one who runs a node watches besides the log. */
export interface OperationGauges {
  readonly store: { readonly bytes: number; readonly historyBytes: number; readonly quotaBytes: number }
  readonly crowded: readonly unknown[]
  readonly leaderless: readonly unknown[]
  readonly activity: { readonly reads: number; readonly writes: number }
  readonly leadership: { readonly forMs?: number }
  readonly disk: { readonly freeBytes?: number; readonly isLow: boolean }
  readonly watchers: {
    readonly setAside: number
    readonly setAsideTotal: number
    readonly resyncsTotal: number
  }
  readonly isEligible: boolean
  readonly hindrances: readonly string[]
  readonly rateLimitedTotal: number
  readonly access: { readonly isEnabled: boolean; readonly auditProblem?: string }
  readonly lastBackup?: { readonly atMs: number; readonly bytes: number }
  readonly replicaChecks: readonly {
    readonly name: string
    readonly atMs: number
    readonly isSound: boolean
    readonly problem?: string
  }[]
}

/** What was looked for in the cluster from this node, and how bad it is. */
export interface FoundGauge {
  readonly check: string
  readonly severity: string
}

export interface WatchedMember {
  readonly id: number
  readonly isVoter: boolean
  readonly seen?: {
    readonly state: string
    readonly roundTripMs?: number
    readonly healthScore?: number
  }
}

export interface OperationMetricsOptions {
  /** As of the present scrape; `undefined`: not known. */
  operations(): OperationGauges | undefined
  groups(): { readonly copies: number; readonly leading: number } | undefined
  members(): readonly WatchedMember[]
  certificates(): readonly { readonly file: string; readonly endsWallMs: number }[]
  findings(): readonly FoundGauge[]
}

type Reading = readonly [name: string, help: string, value: (now: OperationGauges) => number | undefined]

const gauges: readonly Reading[] = [
  ['store_bytes', "Size of the cluster's own store, as its quota counts it", ({ store }) => store.bytes],
  ['store_history_bytes', 'The part of it that compaction can free', ({ store }) => store.historyBytes],
  ['store_quota_bytes', 'Its quota', ({ store }) => store.quotaBytes],
  ['groups_crowded', 'Other groups here that are nearly full or full', ({ crowded }) => crowded.length],
  ['groups_leaderless', 'Other groups here without a leader', ({ leaderless }) => leaderless.length],
  [
    'leader_stable_seconds',
    'Since the leader, or the lack of one, has been the same',
    ({ leadership }) => (leadership.forMs === undefined ? undefined : leadership.forMs / 1_000),
  ],
  ['disk_free_bytes', 'Free on the disk of the data folder', ({ disk }) => disk.freeBytes],
  ['disk_low', '1: the disk is all but full; growth is refused', ({ disk }) => Number(disk.isLow)],
  ['watchers_set_aside', 'Watches whose clients do not read', ({ watchers }) => watchers.setAside],
  ['may_lead', '1: the node may lead', ({ isEligible }) => Number(isEligible)],
  ['draining', '1: the node drains', ({ hindrances }) => Number(hindrances.includes('draining'))],
  ['access_enabled', '1: access control is on', ({ access }) => Number(access.isEnabled)],
  [
    'audit_failing',
    '1: the audit log cannot be written',
    ({ access }) => Number(access.auditProblem !== undefined),
  ],
  [
    'backup_timestamp_seconds',
    'When the last backup was taken; absent: never',
    ({ lastBackup }) => (lastBackup === undefined ? undefined : lastBackup.atMs / 1_000),
  ],
  ['backup_bytes', 'Size of the last backup', ({ lastBackup }) => lastBackup?.bytes],
  [
    'replicas_unsound',
    'Groups whose copies differ, as this node found',
    ({ replicaChecks }) => replicaChecks.filter(({ isSound }) => !isSound).length,
  ],
]

const counters: readonly Reading[] = [
  ['reads_total', 'Reads that this node answered', ({ activity }) => activity.reads],
  ['writes_total', 'Transactions that this node put through as leader', ({ activity }) => activity.writes],
  [
    'watchers_set_aside_total',
    'Times that a watch was set aside, since its client did not read',
    ({ watchers }) => watchers.setAsideTotal,
  ],
  [
    'watch_resyncs_total',
    'Times that a watch was sent its whole range, since what it missed was compacted',
    ({ watchers }) => watchers.resyncsTotal,
  ],
  ['rate_limited_total', 'Requests refused by rate limits', ({ rateLimitedTotal }) => rateLimitedTotal],
]

/** Members, groups, room, backups, copies, certificates, findings. */
export function registerOperationMetrics(registry: Registry, options: OperationMetricsOptions): void {
  for (const reading of gauges) registerGauge(registry, options, reading)
  for (const reading of counters) registerCounter(registry, options, reading)
  registerFamilies(registry, options)
}

function registerGauge(
  registry: Registry,
  options: OperationMetricsOptions,
  [name, help, value]: Reading,
): void {
  registry.registerMetric(
    new Gauge({
      name: `althing_${name}`,
      help,
      registers: [],
      collect() {
        const now = options.operations()
        const reading = now === undefined ? undefined : value(now)
        this.reset()
        if (reading === undefined) this.remove()
        else this.set(reading)
      },
    }),
  )
}

function registerCounter(
  registry: Registry,
  options: OperationMetricsOptions,
  [name, help, value]: Reading,
): void {
  let seen = 0
  registry.registerMetric(
    new Counter({
      name: `althing_${name}`,
      help,
      registers: [],
      collect() {
        const now = options.operations()
        const total = now === undefined ? seen : (value(now) ?? seen)
        // A group that goes takes its counts along: the sum may go back, a counter may not.
        if (total > seen) this.inc(total - seen)
        seen = total
      },
    }),
  )
}

/** One value for each of several labels. */
function registerFamilies(registry: Registry, options: OperationMetricsOptions): void {
  family(registry, 'members', 'Members of the cluster, as this node knows', ['kind'], () => {
    const voters = options.members().filter(({ isVoter }) => isVoter).length
    return [
      [{ kind: 'voter' }, voters],
      [{ kind: 'learner' }, options.members().length - voters],
    ]
  })
  registerSights(registry, options)
  family(registry, 'group_copies', 'Copies of groups on this node', ['kind'], () => {
    const { copies, leading } = options.groups() ?? { copies: 0, leading: 0 }
    return [
      [{ kind: 'leading' }, leading],
      [{ kind: 'following' }, copies - leading],
    ]
  })
  family(
    registry,
    'replicas_checked_timestamp_seconds',
    'When this node last compared the copies of a group',
    ['group'],
    () =>
      (options.operations()?.replicaChecks ?? [])
        .filter(({ problem }) => problem === undefined)
        .map(({ name, atMs }) => [{ group: name }, atMs / 1_000]),
  )
  family(
    registry,
    'certificate_end_timestamp_seconds',
    'When a certificate that this node shows or trusts ends',
    ['file'],
    () => options.certificates().map(({ file, endsWallMs }) => [{ file }, endsWallMs / 1_000]),
  )
  family(
    registry,
    'findings',
    'What endangers the cluster, as this node finds (see doctor)',
    ['severity', 'check'],
    () => countFindings(options.findings()),
  )
}

/** How this node sees the members, itself among them. */
function registerSights(registry: Registry, { members }: OperationMetricsOptions): void {
  const seen = () =>
    members().flatMap(({ id, seen }) => (seen === undefined ? [] : [{ id: String(id), ...seen }]))
  family(
    registry,
    'member_state',
    '1 for the state in which this node sees a member',
    ['member', 'state'],
    () => seen().map(({ id, state }) => [{ member: id, state }, 1]),
  )
  family(
    registry,
    'member_round_trip_seconds',
    'The last ping of a member that it answered in time',
    ['member'],
    () =>
      seen().flatMap(({ id, roundTripMs }) =>
        roundTripMs === undefined ? [] : [[{ member: id }, roundTripMs / 1_000]],
      ),
  )
  family(
    registry,
    'member_health_score',
    'How far a member doubts its own findings, as it said last: 0 is best, 8 is worst',
    ['member'],
    () =>
      seen().flatMap(({ id, healthScore }) =>
        healthScore === undefined ? [] : [[{ member: id }, healthScore]],
      ),
  )
}

type LabelledValue = readonly [labels: Readonly<Record<string, string>>, value: number]

function family(
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly string[],
  values: () => readonly LabelledValue[],
): void {
  registry.registerMetric(
    new Gauge({
      name: `althing_${name}`,
      help,
      labelNames: [...labelNames],
      registers: [],
      collect() {
        this.reset()
        for (const [labels, value] of values()) this.set({ ...labels }, value)
      },
    }),
  )
}

function countFindings(findings: readonly FoundGauge[]): LabelledValue[] {
  const counts = new Map<string, { readonly labels: FoundGauge; count: number }>()
  for (const { check, severity } of findings) {
    if (severity === 'ok') continue
    const entry = counts.get(`${severity} ${check}`) ?? { labels: { severity, check }, count: 0 }
    entry.count++
    counts.set(`${severity} ${check}`, entry)
  }
  return [...counts.values()].map(({ labels, count }) => [{ ...labels }, count])
}
