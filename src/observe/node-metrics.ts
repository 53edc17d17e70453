import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { LoopDelay } from '../contracts/vitals.ts'
import {
  type FoundGauge,
  type OperationGauges,
  registerOperationMetrics,
  type WatchedMember,
} from './operation-metrics.ts'

/** What a node is like at the moment its metrics are asked for. */
export interface NodeGauges {
  readonly role: string
  readonly term: number
  readonly leader: number
  readonly commitIndex: number
  readonly appliedIndex: number
  readonly lastIndex: number
  readonly firstIndex: number
  readonly persistedIndex: number
  readonly revision: number
  readonly compactRevision: number
  readonly keys: number
  readonly leases: number
  readonly watchers: number
  readonly clients: number
  readonly isReady: boolean
  readonly members: readonly {
    readonly id: number
    readonly isVoter: boolean
    readonly isConnected: boolean
    readonly matchIndex?: number
    readonly seen?: WatchedMember['seen']
  }[]
  readonly groups?: { readonly copies: number; readonly leading: number }
  readonly operations?: OperationGauges
  readonly vitals?: {
    readonly certificates?: readonly { readonly file: string; readonly endsWallMs: number }[]
  }
}

export interface NodeMetricsOptions {
  /** Labels on every metric. */
  readonly labels: Readonly<Record<string, string>>
  readonly version: string
  /** Asked for once for each scrape. */
  gauges(): NodeGauges
  findings(): readonly FoundGauge[]
  loopDelay(): LoopDelay
}

const roles = ['follower', 'pre-candidate', 'candidate', 'leader']
/** From a fast disk or a busy memory to what a person would notice. */
const secondsBuckets = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5,
]

/** The metrics of one node, in a registry of their own. Names begin with `althing_`; `docs/blocks/metrics.md` tells what each means. */
export class NodeMetrics {
  readonly registry = new Registry()
  readonly #proposals: Counter
  readonly #reads: Counter
  readonly #leaderChanges: Counter
  readonly #elections: Counter
  readonly #commit: Histogram
  readonly #apply: Histogram
  readonly #sync: Histogram
  readonly #requests: Counter<'route' | 'method' | 'status'>
  readonly #requestSeconds: Histogram<'route' | 'method'>
  readonly #options: NodeMetricsOptions
  #now: NodeGauges | undefined

  constructor(options: NodeMetricsOptions) {
    this.#options = options
    this.registry.setDefaultLabels(options.labels)
    this.#proposals = this.#counter(
      'raft_proposals_total',
      'Commands that this node put into the log as leader',
    )
    this.#reads = this.#counter(
      'raft_reads_total',
      'Rounds of linearizable reads (read index) that this node asked for',
    )
    this.#leaderChanges = this.#counter(
      'raft_leader_changes_total',
      'Changes of the leader that this node saw',
    )
    this.#elections = this.#counter('raft_elections_total', 'Elections that this node started')
    this.#commit = this.#histogram(
      'raft_commit_seconds',
      'From the entry of a batch into the log of this leader until it is applied',
    )
    this.#apply = this.#histogram('raft_apply_seconds', 'To apply a batch of committed entries to the store')
    this.#sync = this.#histogram('disk_sync_seconds', 'To make a write durable (fdatasync)')
    const registers = [this.registry]
    this.#requests = new Counter({
      name: 'althing_http_requests_total',
      help: 'HTTP requests answered',
      labelNames: ['route', 'method', 'status'],
      registers,
    })
    this.#requestSeconds = new Histogram({
      name: 'althing_http_request_seconds',
      help: 'Until the head of the reply (event streams go on)',
      labelNames: ['route', 'method'],
      buckets: secondsBuckets,
      registers,
    })
    const now = (): NodeGauges => this.#now ?? options.gauges()
    registerNodeGauges(this.registry, { ...options, gauges: now })
    registerOperationMetrics(this.registry, {
      operations: () => now().operations,
      groups: () => now().groups,
      members: () => now().members,
      certificates: () => now().vitals?.certificates ?? [],
      findings: () => options.findings(),
    })
    registerLoopGauges(this.registry, options.loopDelay)
    registerProcessMetrics(this.registry)
  }

  proposed(commands: number): void {
    this.#proposals.inc(commands)
  }

  readAsked(): void {
    this.#reads.inc()
  }

  leaderChanged(): void {
    this.#leaderChanges.inc()
  }

  electionStarted(): void {
    this.#elections.inc()
  }

  committed(seconds: number): void {
    this.#commit.observe(seconds)
  }

  applied(seconds: number): void {
    this.#apply.observe(seconds)
  }

  synced(seconds: number): void {
    this.#sync.observe(seconds)
  }

  requestAnswered(route: string, method: string, status: number, seconds: number): void {
    this.#requests.inc({ route, method, status: String(status) })
    this.#requestSeconds.observe({ route, method }, seconds)
  }

  async text(): Promise<{ readonly text: string; readonly contentType: string }> {
    this.#now = this.#options.gauges()
    return { text: await this.registry.metrics(), contentType: this.registry.contentType }
  }

  #counter(name: string, help: string): Counter {
    return new Counter({ name: `althing_${name}`, help, registers: [this.registry] })
  }

  #histogram(name: string, help: string): Histogram {
    return new Histogram({
      name: `althing_${name}`,
      help,
      buckets: secondsBuckets,
      registers: [this.registry],
    })
  }
}

type NumberGauge = {
  readonly [Key in keyof NodeGauges]-?: NodeGauges[Key] extends number ? Key : never
}[keyof NodeGauges]

const numberGauges: Readonly<Record<NumberGauge, readonly [name: string, help: string]>> = {
  term: ['raft_term', 'Term'],
  leader: ['raft_leader', 'Member that leads, as this node knows; 0: none'],
  commitIndex: ['raft_commit_index', 'Last log entry known to be committed'],
  appliedIndex: ['raft_applied_index', 'Last log entry applied to the store'],
  lastIndex: ['raft_last_index', 'Last log entry'],
  firstIndex: ['raft_first_index', 'First log entry that is kept'],
  persistedIndex: ['raft_persisted_index', 'Last log entry that is on the disk of this node'],
  revision: ['store_revision', 'Revision of the copy of this node'],
  compactRevision: ['store_compact_revision', 'Oldest revision that can be read'],
  keys: ['store_keys', 'Keys'],
  leases: ['store_leases', 'Leases'],
  watchers: ['store_watchers', 'Watches that this node serves'],
  clients: ['clients', 'Client connections'],
}

function registerNodeGauges(registry: Registry, options: NodeMetricsOptions): void {
  const info = new Gauge({
    name: 'althing_info',
    help: 'Always 1',
    labelNames: ['version'],
    registers: [registry],
  })
  info.set({ version: options.version }, 1)
  for (const [field, [name, help]] of Object.entries(numberGauges)) {
    gauge(registry, name, help, () => options.gauges()[field as NumberGauge])
  }
  gauge(registry, 'ready', '1: this node knows a leader and has caught up', () =>
    Number(options.gauges().isReady),
  )
  registry.registerMetric(
    new Gauge({
      name: 'althing_raft_role',
      help: '1 for the role that the node has, 0 for the others',
      labelNames: ['role'],
      registers: [],
      collect() {
        const { role } = options.gauges()
        for (const each of roles) this.set({ role: each }, Number(each === role))
      },
    }),
  )
  registry.registerMetric(
    new Gauge({
      name: 'althing_peer_connected',
      help: '1: this node has a connection to the member',
      labelNames: ['peer'],
      registers: [],
      collect() {
        for (const { id, isConnected } of options.gauges().members)
          this.set({ peer: String(id) }, Number(isConnected))
      },
    }),
  )
  registry.registerMetric(
    new Gauge({
      name: 'althing_peer_match_index',
      help: 'On the leader: last log entry that the member is known to have',
      labelNames: ['peer'],
      registers: [],
      collect() {
        this.reset()
        for (const { id, matchIndex } of options.gauges().members)
          if (matchIndex !== undefined) this.set({ peer: String(id) }, matchIndex)
      },
    }),
  )
}

function registerLoopGauges(registry: Registry, loopDelay: () => LoopDelay): void {
  registry.registerMetric(
    new Gauge({
      name: 'althing_event_loop_delay_seconds',
      help: 'How late the event loop runs its timers',
      labelNames: ['stat'],
      registers: [],
      collect() {
        const { meanMs, p50Ms, p99Ms, maxMs } = loopDelay()
        for (const [stat, ms] of Object.entries({ mean: meanMs, p50: p50Ms, p99: p99Ms, max: maxMs }))
          this.set({ stat }, ms / 1_000)
      },
    }),
  )
}

function registerProcessMetrics(registry: Registry): void {
  let seenMicros = 0
  registry.registerMetric(
    new Counter({
      name: 'althing_process_cpu_seconds_total',
      help: 'User and system time of the process',
      registers: [],
      collect() {
        const { user, system } = process.cpuUsage()
        this.inc((user + system - seenMicros) / 1_000_000)
        seenMicros = user + system
      },
    }),
  )
  gauge(registry, 'process_resident_bytes', 'Memory of the process', () => process.memoryUsage.rss())
  gauge(registry, 'process_heap_used_bytes', 'JavaScript heap in use', () => process.memoryUsage().heapUsed)
  gauge(registry, 'process_uptime_seconds', 'Since the process began', () => process.uptime())
}

function gauge(registry: Registry, name: string, help: string, value: () => number): void {
  registry.registerMetric(
    new Gauge({
      name: `althing_${name}`,
      help,
      registers: [],
      collect() {
        this.set(value())
      },
    }),
  )
}
