import { AlthingError, invalidArgument } from '../../../contracts/errors.ts'
import type { Random } from '../../../contracts/world.ts'
import { type StoreState, writeSnapshot } from '../../../models/store/snapshot.ts'
import type { Configuration, NodeId } from '../../../protocols/raft/types.ts'
import type { GroupId } from '../../../replication/group-id.ts'
import type { NodeStorage } from '../../../replication/node-storage.ts'
import type { Member } from '../../../replication/peer-transport.ts'
import { ownGroupName } from '../groups/group-descriptor.ts'
import {
  bumpRevisionDefault,
  descriptorsIn,
  placeRestored,
  restoredOwnState,
  restoredState,
} from './restored-state.ts'
import type { VerifiedBackup } from './verify-backup.ts'

export interface RestorePlanOptions {
  /** All members of the new cluster. */
  readonly members: readonly Member[]
  /** Revisions that each store is ahead of its backup (default 1,000,000; 0: none). See {@link restoredState}. */
  readonly bumpRevision?: number
  /** The group of the backup that becomes the store of the new cluster (default: group 1, or the only one there is). With another than group 1 only that one is restored. */
  readonly group?: GroupId
}

/** One group of the new cluster. */
export interface RestoredGroup {
  readonly id: GroupId
  readonly name: string
  readonly state: StoreState
  readonly configuration: Configuration
}

export interface RestorePlan {
  readonly groups: readonly RestoredGroup[]
}

/** Where a new cluster begins: before any log, its groups have these states. */
const beginning = { index: 1, term: 1 } as const

/**
 * What the new cluster begins with. Throws `invalid-argument` (the members), or `not-found` when the backup does not have what a cluster needs: the store
 * of group 1, or one group that takes its place.
 */
export function planRestore(backup: VerifiedBackup, options: RestorePlanOptions): RestorePlan {
  const { members, bumpRevision = bumpRevisionDefault } = options
  const ids = checkedIds(members)
  checkBump(bumpRevision)
  const own = backup.groups.find(({ group }) => group === (options.group ?? 1)) ?? onlyGroup(backup, options)
  const others = own.group === 1 ? backup.groups.filter((each) => each !== own) : []
  const descriptors = descriptorsIn(own.state).filter(({ id }) => others.some(({ group }) => group === id))
  const placement = placeRestored(descriptors, ids)
  const addresses = Object.fromEntries(members.map(({ id, address }) => [id, address]))
  const ownState = restoredOwnState(restoredState(own.state, bumpRevision), ids, placement)
  const groups: RestoredGroup[] = [
    { id: 1, name: ownGroupName, state: ownState, configuration: { voters: ids, addresses } },
  ]
  for (const { group, name, state } of others) {
    const voters = placement.get(group)
    if (voters === undefined) continue
    const configuration = { voters: [...voters].sort((a, b) => a - b) }
    groups.push({ id: group, name, state: restoredState(state, bumpRevision), configuration })
  }
  return { groups }
}

/**
 * Writes into the empty storage of member `node` what the plan gives it: durable when resolved. The node that is started on it finds the state as a snapshot that its log
 * begins after. Rejects with `conflict` when the storage is not empty.
 */
export async function restoreNode(storage: NodeStorage, node: NodeId, plan: RestorePlan): Promise<void> {
  if (!storage.created || storage.groups.size > 0)
    throw new AlthingError(
      'conflict',
      'the folder holds data already: a backup is restored into an empty one',
    )
  for (const { id, state, configuration } of plan.groups) {
    if (!configuration.voters.includes(node)) continue
    const opened = await storage.createGroup(id, configuration)
    const meta = { ...beginning, configuration }
    await opened.storage.saveSnapshot(meta, writeSnapshot(state))
    await opened.storage.resetTo(meta, { term: beginning.term, vote: 0 })
  }
}

/** The id of a new cluster: members and clients of the old one are refused by it, whatever addresses it has. */
export function newClusterId(name: string, random: Random): string {
  return `${name}-${Buffer.from(random.bytes(6)).toString('hex')}`
}

/** The name that an id was made of. */
export function clusterNameOf(clusterId: string): string {
  return clusterId.replace(/-[0-9a-f]{12}$/, '')
}

function onlyGroup(backup: VerifiedBackup, { group }: RestorePlanOptions): VerifiedBackup['groups'][number] {
  const [only] = backup.groups
  if (group === undefined && only !== undefined && backup.groups.length === 1) return only
  const have = backup.groups.map((each) => `${each.group} (${each.name})`)
  throw new AlthingError(
    'not-found',
    `the backup has no group ${group ?? 1}; it has ${have.join(', ')}: name one that is to be the store of the new cluster`,
  )
}

function checkedIds(members: readonly Member[]): NodeId[] {
  const ids = members.map(({ id }) => id).sort((a, b) => a - b)
  const areIds = ids.every((id) => Number.isSafeInteger(id) && id > 0)
  if (ids.length === 0 || !areIds || new Set(ids).size !== ids.length)
    throw invalidArgument('members', ids, 'a list of whole numbers > 0, each once')
  return ids
}

function checkBump(bumpRevision: number): void {
  if (!Number.isSafeInteger(bumpRevision) || bumpRevision < 0 || bumpRevision > 2 ** 40)
    throw invalidArgument('bumpRevision', bumpRevision, 'a whole number from 0 to 2^40')
}
