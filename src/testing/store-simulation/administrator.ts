import { asAlthingError } from '../../contracts/errors.ts'
import { decodeJoinToken } from '../../engines/cluster/membership/join-token.ts'
import { type MemberRecord, memberKeys } from '../../engines/cluster/membership/member-record.ts'
import { NodeClient } from '../../engines/cluster/node-client.ts'
import type { Plain } from '../../engines/cluster/operator-calls.ts'
import { membersOf } from '../../protocols/raft/configuration.ts'
import type { NodeId } from '../../protocols/raft/types.ts'
import { attempt, type ClientContext, type ClientProgram, think } from './client-process.ts'
import type { StoreCluster } from './store-cluster.ts'
import type { Survival } from './survival.ts'

export interface AdministratorOptions {
  readonly cluster: StoreCluster
  readonly survival: Survival
  /** A group serves: clients may come. */
  groupCreated(id: number, name: string): void
}

/** What an administrator had done, and how often. */
export interface AdministratorCounts {
  invitations: number
  removals: number
  /** Of a member that led when it was asked for. */
  leaderRemovals: number
  replacements: number
  promotions: number
  wipes: number
  groupsCreated: number
  groupsRemoved: number
}

const votersMax = 5
const nodesMax = 9
const wipeTriesMax = 20
const wipeRetryMs = 100
const groupsMax = 4
const groupNamesMax = 8
const removalsMax = 5
const callTimeoutMs = 8_000
/** A call without an answer may still be carried out: leaders come and go, and hand on. */
const unsettledMs = 30_000
const waitMs = 4_000
/** What the cluster may say to a change that does not fit in now. */
const refusals = ['conflict', 'not-found', 'incompatible-peer', 'not-member']

/** Changes who belongs to the cluster, and which groups there are, as operators do, while everything else goes on. */
export class Administrator {
  readonly counts: AdministratorCounts = {
    invitations: 0,
    removals: 0,
    leaderRemovals: 0,
    replacements: 0,
    promotions: 0,
    wipes: 0,
    groupsCreated: 0,
    groupsRemoved: 0,
  }
  readonly #options: AdministratorOptions
  #groupNumber = 0
  #groupNames = 0

  constructor(options: AdministratorOptions) {
    this.#options = options
  }

  /** Members come and go. */
  readonly changeMembers: ClientProgram = async (context) => {
    while (!context.isStopping()) {
      await think(context, context.configuration.membersMsMean)
      if (!context.isStopping()) await this.#changeMembers(context)
    }
  }

  /** Groups come and go. */
  readonly changeGroups: ClientProgram = async (context) => {
    while (!context.isStopping()) {
      if (this.#groupNames >= groupNamesMax) return
      if (this.#groupNumber === 0) await this.#createGroup(context)
      else if (this.#groupNumber < groupsMax) await this.#createAndRemoveGroup(context)
      await think(context, context.configuration.groupsMsMean)
    }
  }

  async #changeMembers(context: ClientContext): Promise<void> {
    const { cluster } = this.#options
    const { random } = context
    const { configuration } = cluster.own
    const dead = membersOf(configuration).filter((id) => cluster.isOut(id))
    const learners = configuration.learners ?? []
    const draw = random.float()
    if (dead.length > 0 && draw < 0.7) return this.#replace(context, random.pick(dead))
    if (draw < 0.25) return this.#wipe(context)
    if (learners.length > 0 && draw < 0.5) return this.#promote(context, random.pick(learners))
    const isLarge = configuration.voters.length >= votersMax || cluster.processes.length >= nodesMax
    if (isLarge || draw < 0.6) return this.#remove(context)
    await this.#invite(context, 'member.add', random.chance(0.4) ? { learner: true } : {})
  }

  async #replace(context: ClientContext, dead: NodeId): Promise<void> {
    if (this.#options.cluster.processes.length >= nodesMax) return
    if (await this.#invite(context, 'member.replace', { dead })) this.counts.replacements++
  }

  /**
   * A machine loses its disk, and its node comes back as if it were new: nobody may take it for the member that it was. Waits for a moment in which that may be: most of the time
   * something else is just being changed.
   */
  async #wipe(context: ClientContext): Promise<void> {
    const { cluster } = this.#options
    for (let tries = 0; tries < wipeTriesMax; tries++) {
      const id = cluster.own.configuration.voters.find((voter) => this.#mayWipe(voter))
      if (id !== undefined) {
        this.counts.wipes++
        cluster.wipe(id)
        return
      }
      await think(context, wipeRetryMs)
    }
  }

  #mayWipe(id: NodeId): boolean {
    const { cluster, survival } = this.#options
    const record = cluster.records.get<MemberRecord>(memberKeys.record(id))
    if (record?.storageId === undefined || cluster.isOut(id) || !survival.mayLose(id)) return false
    return cluster.isKnown(id, record.storageId)
  }

  async #promote(context: ClientContext, id: NodeId): Promise<void> {
    if (await this.#change(context, 'member.promote', { id, waitMs })) this.counts.promotions++
  }

  /** Any member, the leader as well as others; but who is left must be able to go on. */
  async #remove(context: ClientContext): Promise<void> {
    const { cluster, survival } = this.#options
    const { voters } = cluster.own.configuration
    const smallest = context.random.chance(0.2) ? 2 : 3
    const leader = cluster.nodes.find(({ host }) => host.group.role === 'leader')?.id
    const eligible = membersOf(cluster.own.configuration).filter((id) => survival.mayLeave(id))
    if (eligible.length === 0) return
    const isLeader = leader !== undefined && eligible.includes(leader) && context.random.chance(0.4)
    const id = isLeader ? leader : context.random.pick(eligible)
    if (voters.includes(id) && voters.length <= smallest) return
    if ((await this.#change(context, 'member.remove', { id, waitMs })) === undefined) return
    this.counts.removals++
    if (id === leader) this.counts.leaderRemovals++
  }

  async #invite(
    context: ClientContext,
    name: string,
    argument: Readonly<Record<string, Plain>>,
  ): Promise<boolean> {
    const answer = await this.#change(context, name, argument)
    if (answer === undefined) return false
    const { id, secret, members } = decodeJoinToken((answer as { token: string }).token)
    this.counts.invitations++
    this.#options.cluster.add({ id, address: `node${id}:7400` }, members, secret)
    return true
  }

  async #createGroup(context: ClientContext): Promise<string | undefined> {
    // One whose answer was lost may be there: its name is not used again.
    const name = `group${++this.#groupNames}`
    const answer = await this.#change(context, 'group.create', { name, replicas: 3, waitMs })
    if (answer === undefined) return undefined
    this.#groupNumber++
    this.counts.groupsCreated++
    const { id } = answer as { id: number }
    if (this.#groupNumber === 1) this.#options.groupCreated(id, name)
    return name
  }

  async #createAndRemoveGroup(context: ClientContext): Promise<void> {
    const name = await this.#createGroup(context)
    if (name === undefined) return
    await think(context, context.configuration.groupsMsMean)
    for (let tries = 0; tries < removalsMax; tries++) {
      if ((await this.#change(context, 'group.remove', { name })) === undefined) continue
      this.counts.groupsRemoved++
      return
    }
  }

  /** The answer, or `undefined` where there was none, or a refusal. */
  async #change(context: ClientContext, name: string, argument: Plain): Promise<Plain | undefined> {
    const settled = this.#options.survival.keepQuiet(callTimeoutMs + unsettledMs)
    return attempt(
      context,
      async () => {
        try {
          const answer = await operate(context, name, argument)
          settled()
          return answer
        } catch (error) {
          if (asAlthingError(error).outcome === 'none') settled()
          throw error
        }
      },
      refusals,
    )
  }
}

/** Makes the call at some node, which hands it on to the leader. */
export async function operate(
  { world, random, endpoints, credentials }: ClientContext,
  name: string,
  argument: Plain,
): Promise<Plain> {
  const client = await NodeClient.open(world, random.pick(endpoints), {
    timeoutMs: callTimeoutMs,
    ...(credentials === undefined ? {} : { credentials }),
  })
  try {
    return await client.operate(name, argument)
  } finally {
    client.close()
  }
}
