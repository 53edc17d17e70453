import { isSystemKey } from '../../models/store/system-keys.ts'
import { openClusterNode } from '../../engines/cluster/cluster-node.ts'
import type { ClusterNode } from '../../engines/cluster/cluster-node.ts'
import { openClusterStore } from '../../engines/cluster/cluster-store.ts'
import { planRestore, type RestorePlan, restoreNode } from '../../engines/cluster/backup/restore-backup.ts'
import { takeBackup } from '../../engines/cluster/backup/take-backup.ts'
import { type VerifiedBackup, verifyBackup } from '../../engines/cluster/backup/verify-backup.ts'
import { NodeClient } from '../../engines/cluster/node-client.ts'
import type { KeyValue } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import type { StoreState } from '../../models/store/snapshot.ts'
import type { GroupId } from '../../replication/group-id.ts'
import type { Member } from '../../replication/peer-transport.ts'
import { openNodeStorage } from '../../replication/node-storage.ts'
import { sameKeyValue } from '../checkers/event-log.ts'
import type { SimulatedProcess } from '../world/simulated-process.ts'
import type { Simulation } from '../world/simulation.ts'
import { attempt, type ClientContext, type ClientProgram, sleep, think } from './client-process.ts'
import type { StoreCluster } from './store-cluster.ts'

const callTimeoutMs = 5_000
const restoredId = 'restored'
const invariant = 'backup-is-the-store'

/** Takes backups while everything else goes on, compares each with the log, and lets a new cluster begin from the first. */
export class BackupClient {
  readonly counts = { backups: 0, restores: 0 }
  readonly #simulation: Simulation
  readonly #cluster: StoreCluster
  #isRestored = false

  constructor(simulation: Simulation, cluster: StoreCluster) {
    this.#simulation = simulation
    this.#cluster = cluster
  }

  readonly run: ClientProgram = async (context) => {
    while (!context.isStopping()) {
      await think(context, context.configuration.backupMsMean)
      const calledAt = context.nowMs()
      const backup = await attempt(context, () => this.#take(context), ['not-found'])
      if (backup === undefined) continue
      const revision = backup.groups.find(({ group }) => group === 1)?.revision ?? 0
      const head = { kind: 'revision', client: context.name, calledAt, returnedAt: context.nowMs() } as const
      if (revision > 0) context.observations.answers.push({ ...head, revision })
      this.counts.backups++
      this.#compareWithLog(context, backup)
      if (this.#isRestored) continue
      this.#isRestored = true
      await this.#restore(context, backup)
      this.counts.restores++
    }
  }

  async #take({ world, random, endpoints, credentials }: ClientContext): Promise<VerifiedBackup> {
    const node = await NodeClient.open(world, random.pick(endpoints), {
      timeoutMs: callTimeoutMs,
      ...(credentials === undefined ? {} : { credentials }),
    })
    try {
      const listed = (await node.operate('backup.list')) as unknown as readonly { readonly group: number }[]
      const groups = listed.map(({ group }) => ({ group, node }))
      const chunks: Uint8Array[] = []
      for await (const parts of takeBackup({ groups, takenAtMs: 0 })) chunks.push(...parts)
      return await verifyBackup(streamOf(chunks), 'backup')
    } finally {
      node.close()
    }
  }

  /** Each group is as the log had it at the revision that the backup names. */
  #compareWithLog({ observations }: ClientContext, { groups }: VerifiedBackup): void {
    for (const { group, revision, state } of groups) {
      const log = this.#cluster.group(group).log
      const truth = log.events.stateAt({ key: '', end: null }, revision)
      const problem =
        revision > log.model.revision
          ? `is of revision ${revision}, which the log has not reached`
          : differenceOf(truth, new Map(state.keys.current.entries()))
      if (problem !== undefined) observations.violated(invariant, `the backup of group ${group} ${problem}`)
    }
  }

  async #restore(context: ClientContext, backup: VerifiedBackup): Promise<void> {
    const size = context.random.pick([1, 3])
    const members = Array.from({ length: size }, (_, i) => ({
      id: i + 1,
      address: `restored${i + 1}:7400`,
    }))
    const plan = planRestore(backup, { members })
    const nodes = new Map<number, ClusterNode>()
    const processes = members.map((member) => this.#startRestored(member, members, plan, nodes))
    await this.#compareRestored(context, members, backup)
    for (const { id, state } of plan.groups) {
      for (const node of nodes.values()) this.#compareCopy(context, node, id, state)
    }
    for (const process of processes) process.crash('power')
  }

  #startRestored(
    { id }: Member,
    members: readonly Member[],
    plan: RestorePlan,
    nodes: Map<number, ClusterNode>,
  ): SimulatedProcess {
    const run = async (world: World): Promise<void> => {
      const identity = { clusterId: restoredId, nodeId: id }
      const storage = await openNodeStorage(world, `node-${id}`, { identity })
      if (storage.created) await restoreNode(storage, id, plan)
      await storage.close()
      const node = await openClusterNode({ world, id, clusterId: restoredId, members })
      nodes.set(id, node)
      const failure = await node.closed
      if (failure !== undefined) throw failure
    }
    return this.#simulation.process(`restored${id}`, run)
  }

  /** What a client of the new cluster reads; leases may have ended there, and their keys with them. */
  async #compareRestored(
    context: ClientContext,
    members: readonly Member[],
    { groups }: VerifiedBackup,
  ): Promise<void> {
    const { world, credentials, observations } = context
    const store = openClusterStore(world, {
      endpoints: members.map(({ address }) => address),
      timeoutMs: callTimeoutMs,
      ...(credentials === undefined ? {} : { credentials }),
    })
    const read = (): Promise<readonly KeyValue[]> => allOf(store)
    let kvs = await attempt(context, read)
    for (; kvs === undefined; kvs = await attempt(context, read)) await sleep(world, 200)
    await store.close()
    const state = groups.find(({ group }) => group === 1)?.state
    if (state === undefined) return
    const problem = differenceOf(lastingOf(state), lasting(kvs.map((kv) => [kv.key, kv])))
    if (problem !== undefined) observations.violated(invariant, `the restored cluster ${problem}`)
  }

  #compareCopy({ observations }: ClientContext, node: ClusterNode, group: GroupId, state: StoreState): void {
    const copy = node.groups.get(group)?.model.freeze()
    if (copy === undefined) return
    const problem = differenceOf(lastingOf(state), lastingOf(copy))
    if (problem !== undefined)
      observations.violated(invariant, `node ${node.id} of the restored cluster, group ${group}: ${problem}`)
  }
}

async function allOf(store: ReturnType<typeof openClusterStore>): Promise<readonly KeyValue[]> {
  const found: KeyValue[] = []
  for (let key = '\u0001'; ; ) {
    const { kvs, more } = await store.range({ key, end: null })
    found.push(...kvs)
    const last = kvs.at(-1)
    if (!more || last === undefined) return found
    key = `${last.key}\0`
  }
}

function lastingOf({ keys }: StoreState): Map<string, KeyValue> {
  return lasting(keys.current.entries())
}

/** Keys of clients that hang on no lease. */
function lasting(entries: Iterable<readonly [string, KeyValue]>): Map<string, KeyValue> {
  return new Map([...entries].filter(([key, { lease }]) => lease === 0 && !isSystemKey(key)))
}

function differenceOf(
  wanted: ReadonlyMap<string, KeyValue>,
  found: ReadonlyMap<string, KeyValue>,
): string | undefined {
  for (const [key, kv] of wanted)
    if (!sameKeyValue(kv, found.get(key))) return `does not have ${JSON.stringify(key)} as it was`
  for (const key of found.keys())
    if (!wanted.has(key)) return `has ${JSON.stringify(key)}, which was not there`
  return undefined
}

async function* streamOf(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void, undefined> {
  yield* chunks
}
