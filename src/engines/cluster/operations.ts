import type { AlthingError } from '../../contracts/errors.ts'
import { asAlthingError } from '../../contracts/errors.ts'
import { membersOf } from '../../protocols/raft/configuration.ts'
import type { NodeId } from '../../protocols/raft/types.ts'
import type { GroupId } from '../../replication/group-id.ts'
import type { StoreHost } from '../local/store-host.ts'
import { type HostedGroup, registerBackupCalls } from './backup/backup-calls.ts'
import { readLastBackup } from './backup/last-backup.ts'
import type { CrowdedStore, OperationsStatus } from './operations-status.ts'
import type { Hindrance } from './drain.ts'
import { LeadershipLog } from './leadership-log.ts'
import type { NodeAccess } from './node-access.ts'
import { OperatorLinks, type OperatorLinksOptions } from './operator-links.ts'
import { CheckpointLog } from './replicas/checkpoint-log.ts'
import { type CheckedGroup, registerReplicaCalls } from './replicas/replica-calls.ts'
import { ReplicaChecker } from './replicas/replica-checker.ts'
import { registerStoreCalls } from './store-calls.ts'
import type { TroubledGroup } from './troubled-groups.ts'

/** The node, as far as its operation needs it. */
export interface OperationsOptions extends OperatorLinksOptions {
  readonly version: string
  space(): OperationsStatus['disk']
  hindrances(): Iterable<Hindrance>
  /** `undefined` before the node has started. */
  access(): NodeAccess | undefined
  /** Groups of which this node has a copy now. */
  groups(): readonly HostedGroup[]
  /** See {@link TroubledGroups}. */
  troubled(): readonly TroubledGroup[]
  /** Throws when a member could not read what only the present version writes into the log. */
  assertAllSpeak(): void
  /** Stops the node for good. */
  fail(error: AlthingError): void
  /** See {@link ReplicaChecker}; 0: only when asked. */
  readonly replicaCheckMs: number
  /** Resolves when the node serves no more. */
  readonly closed: Promise<unknown>
}

/** Names of groups that a status lists. */
const listedMax = 20

/** What operators can do with a node that runs: back its groups up, and compare their copies. */
export class Operations {
  readonly #options: OperationsOptions
  readonly #links: OperatorLinks
  readonly #checkpoints = new Map<GroupId, { readonly host: StoreHost; readonly log: CheckpointLog }>()
  readonly #leadership: LeadershipLog
  #checker: ReplicaChecker | undefined

  constructor(options: OperationsOptions) {
    this.#options = options
    this.#leadership = new LeadershipLog(options.world.clock)
    this.#links = new OperatorLinks(options)
    const { operators, self } = options
    registerBackupCalls(operators, { ...options, nodeId: self, groups: () => options.groups() })
    registerReplicaCalls(operators, {
      find: (group) => this.#checked().find((each) => each.group === group || each.name === group),
      obstacle: () => this.#obstacle(),
      fail: (error) => options.fail(error),
    })
    registerStoreCalls(operators, {
      ...options,
      groups: () => options.groups(),
      callsOf: (node) => this.#links.to(node),
    })
    void options.closed.then(() => this.#close())
  }

  /** A copy of a group was opened; its log is not applied yet. */
  opened(group: GroupId, host: StoreHost): void {
    this.#checkpoints.get(group)?.log.close()
    this.#checkpoints.set(group, { host, log: new CheckpointLog(this.#options.world, host) })
  }

  /** Its copy is about to be removed: nothing here may keep it in memory. */
  closing(group: GroupId): void {
    this.#checkpoints.get(group)?.log.close()
    this.#checkpoints.delete(group)
  }

  /** Of the cluster's own group. */
  leaderChanged(leader: NodeId): void {
    this.#leadership.saw(leader)
  }

  start(): void {
    const { replicaCheckMs: everyMs, world } = this.#options
    if (everyMs === 0) return
    this.#checker = new ReplicaChecker({
      world,
      everyMs,
      groups: () => this.#checked(),
      replicas: (group) => this.#replicas(group),
      callsOf: (node) => this.#links.to(node),
    })
  }

  status(): OperationsStatus {
    const { groups, space, access, hindrances } = this.#options
    const hosts = groups()
    const own = hosts.find(({ group }) => group === 1)?.host
    const lastBackup = own === undefined ? undefined : readLastBackup(own)
    const auditProblem = access()?.audit?.failure?.message
    return {
      store: storeOf(own),
      crowded: crowdedOf(hosts),
      leaderless: leaderlessOf(hosts),
      troubled: this.#options.troubled(),
      activity: activityOf(hosts),
      leadership: this.#leadership.status(),
      disk: space(),
      hindrances: [...hindrances()],
      rateLimitedTotal: access()?.limits.refusedTotal ?? 0,
      isEligible: own?.group.status().isEligible ?? false,
      access: {
        isEnabled: access()?.control.isEnabled ?? false,
        ...(auditProblem === undefined ? {} : { auditProblem }),
      },
      watchers: watchersOf(hosts.map(({ host }) => host)),
      ...(lastBackup === undefined ? {} : { lastBackup }),
      replicaChecks: this.#checker?.results ?? [],
    }
  }

  #checked(): CheckedGroup[] {
    return this.#options.groups().flatMap(({ group, name, host }) => {
      const opened = this.#checkpoints.get(group)
      return opened?.host === host ? [{ group, name, host, checkpoints: opened.log }] : []
    })
  }

  #replicas(group: GroupId): readonly NodeId[] {
    const host = this.#options.groups().find((each) => each.group === group)?.host
    return host === undefined ? [] : membersOf(host.group.configuration)
  }

  #obstacle(): string | undefined {
    try {
      this.#options.assertAllSpeak()
      return undefined
    } catch (error) {
      return asAlthingError(error).message
    }
  }

  #close(): void {
    this.#checker?.close()
    for (const { log } of this.#checkpoints.values()) log.close()
    this.#links.close()
  }
}

function storeOf(host: StoreHost | undefined): OperationsStatus['store'] {
  if (host === undefined) return { bytes: 0, historyBytes: 0, quotaBytes: 0, state: 'ok' }
  const { bytes, quotaBytes, state } = host.space
  return { bytes, historyBytes: host.model.stats.historyBytes, quotaBytes, state }
}

function crowdedOf(hosts: readonly HostedGroup[]): CrowdedStore[] {
  const crowded: CrowdedStore[] = []
  for (const { group, name, host } of hosts) {
    const { bytes, quotaBytes, state } = host.space
    if (group !== 1 && state !== 'ok' && crowded.length < listedMax)
      crowded.push({ name, bytes, quotaBytes, state })
  }
  return crowded
}

function leaderlessOf(hosts: readonly HostedGroup[]): string[] {
  const names = hosts.flatMap(({ group, name, host }) =>
    group !== 1 && host.group.leader === 0 ? [name] : [],
  )
  return names.slice(0, listedMax)
}

function activityOf(hosts: readonly HostedGroup[]): OperationsStatus['activity'] {
  const sum = { reads: 0, writes: 0 }
  for (const { host } of hosts) {
    sum.reads += host.activity.reads
    sum.writes += host.activity.writes
  }
  return sum
}

function watchersOf(hosts: readonly StoreHost[]): OperationsStatus['watchers'] {
  const sum = { setAside: 0, setAsideTotal: 0, resyncsTotal: 0 }
  for (const { watches } of hosts) {
    const { setAside, setAsideTotal, resyncsTotal } = watches.stats
    sum.setAside += setAside
    sum.setAsideTotal += setAsideTotal
    sum.resyncsTotal += resyncsTotal
  }
  return sum
}
