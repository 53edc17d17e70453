import { join } from 'node:path'
import { NodeClient } from 'althing/engines'
import type { SeededRandom } from 'althing/testing/world'
import { Child } from '../processes/support/child.ts'
import { eventually, pause } from '../processes/support/eventually.ts'
import {
  type ClusterMember,
  clusterName,
  type NodeCluster,
  world,
} from '../processes/support/node-cluster.ts'
import { accountOf, lackingGroups, type ListedGroup, type ListedMember } from './account.ts'
import type { SmallDisk } from './small-disk.ts'
import type { Tally } from './tally.ts'

export interface FieldOptions {
  readonly cluster: NodeCluster
  readonly random: SeededRandom
  readonly tally: Tally
  readonly smallDisk: SmallDisk | undefined
  report(text: string): void
}

/** After harm the cluster must be whole again within this. */
const healMsMax = 90_000
/** Then the copies of groups, and members that are leaving, must be where they belong within this. */
const settleMsMax = 90_000
const settleLookMs = 500
const commandAttempts = 8
const operateTimeoutMs = 10_000

/** The cluster as the faults see it. */
export class Field {
  readonly cluster: NodeCluster
  readonly random: SeededRandom
  readonly tally: Tally
  readonly smallDisk: SmallDisk | undefined
  readonly report: (text: string) => void
  /** Never killed, restarted or removed, so that their memory tells of the whole time. All else happens to them as well. */
  readonly veterans: readonly ClusterMember[]
  #joins = 0
  /** As the cluster said last. */
  #leaving: ReadonlySet<number> = new Set()
  /** Members and groups that are told of already. */
  readonly #overdue = new Set<string>()

  constructor({ cluster, random, tally, smallDisk, report }: FieldOptions) {
    this.cluster = cluster
    this.random = random
    this.tally = tally
    this.smallDisk = smallDisk
    this.report = report
    this.veterans = cluster.members.slice(0, 2)
  }

  /** Without those that are leaving: these may be gone at any moment. */
  get members(): readonly ClusterMember[] {
    return this.cluster.members.filter(({ id }) => !this.#leaving.has(id))
  }

  get mortals(): readonly ClusterMember[] {
    return this.members.filter((member) => !this.veterans.includes(member))
  }

  get onSmallDisk(): ClusterMember | undefined {
    const { smallDisk } = this
    if (smallDisk === undefined) return undefined
    return this.cluster.members.find(({ dataFolder }) => dataFolder.startsWith(smallDisk.folder))
  }

  /** A folder for a new node's data: on the small disk when nobody is there. */
  placeForNew(): string | undefined {
    const { smallDisk } = this
    return smallDisk === undefined || this.onSmallDisk !== undefined
      ? undefined
      : join(smallDisk.folder, `node-${++this.#joins}`)
  }

  /** Leadership goes to one of `wanted` if it can: what happens to the leader is the most telling. */
  async makeLeader(wanted: readonly ClusterMember[]): Promise<ClusterMember | undefined> {
    const leader = await this.cluster.presentLeader()
    if (leader !== undefined && wanted.includes(leader)) return leader
    const heir = this.random.pick(wanted)
    await this.command('transfer-leader', String(heir.id)).catch(() => {})
    const now = await this.cluster.presentLeader()
    return now !== undefined && wanted.includes(now) ? now : undefined
  }

  /** A command of `althing`, as an operator would give it: again when it says that this is of use. Resolves with its JSON. */
  async command(...args: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
    let last = ''
    for (let attempt = 0; attempt < commandAttempts; attempt++) {
      const child = Child.command([...args, '--url', this.cluster.url, '--json'])
      const { code } = await child.ending()
      if (code === 0) return JSON.parse(child.lines.join('\n')) as Readonly<Record<string, unknown>>
      last = child.errors
      if (!last.includes('"retryable":true')) break
      await pause(1_000)
    }
    throw new Error(`althing ${args.join(' ')}: ${last}`)
  }

  /** An operator call that has no command. Resolves with its answer. */
  async operate<T>(name: string, argument: Parameters<NodeClient['operate']>[1] = null): Promise<T> {
    const { answer } = await eventually(
      `${name} is done`,
      async () => {
        const { address } = await this.cluster.leader()
        const client = await NodeClient.open(world, address, { clusterId: clusterName })
        try {
          return { answer: (await client.operate(name, argument, operateTimeoutMs)) as unknown as T }
        } finally {
          client.close()
        }
      },
      healMsMax,
    )
    return answer
  }

  async groups(): Promise<readonly ListedGroup[]> {
    return await this.operate('group.list')
  }

  /** Ends what is no member, and notes who is leaving: the cluster decides who belongs to it, also where it gave no answer to the one who asked. */
  async agrees(): Promise<void> {
    const listed = await this.#listed()
    const run = this.cluster.members
    const account = accountOf(
      run.map(({ id }) => id),
      listed,
    )
    this.#leaving = new Set(account.leaving)
    for (const member of run) {
      if (account.removed.includes(member.id)) await this.departs(member)
      else if (account.refused.includes(member.id)) await this.#giveUp(member)
      else if (!member.process.isRunning && this.#leaving.has(member.id)) this.#startLeaver(member, listed)
    }
    for (const id of account.abandoned) await this.removes(id)
  }

  /** Asks again while the cluster refuses, or has not done it yet. */
  async removes(id: number): Promise<void> {
    await eventually(`node ${id} is removed`, async () => {
      const { isRemoved } = await this.command('member', 'remove', String(id))
      if (isRemoved !== true) throw new Error('it is still leaving')
      return true
    })
  }

  /** It was removed: then its process ends by itself. */
  async departs(member: ClusterMember): Promise<void> {
    this.cluster.takeOut(member)
    await member.process.ending()
    this.forget(member)
  }

  /** Its disk is for the node that comes after. */
  forget({ dataFolder }: ClusterMember): void {
    this.smallDisk?.empty(dataFolder)
  }

  /** Waits until every member serves, a write made it, who is leaving has left, and every group has its copies. */
  async heals(): Promise<void> {
    await this.agrees()
    for (const member of this.members) {
      await eventually(
        `node ${member.id} is ready`,
        async () => {
          if (!member.process.isRunning) return await this.#isExplained(member)
          return (await member.status())?.isReady
        },
        healMsMax,
      )
    }
    const sinceMs = world.clock.monotonicMs()
    await eventually('a write is acknowledged', () => (this.tally.lastWriteMs ?? 0) > sinceMs, healMsMax)
    await this.#settles()
  }

  /** Reports each member and each group that does not get there once, until it has got there. */
  async #settles(): Promise<void> {
    const endMs = world.clock.monotonicMs() + settleMsMax
    for (;;) {
      await this.agrees()
      const pending = await this.#pending()
      for (const name of this.#overdue) if (!pending.has(name)) this.#overdue.delete(name)
      const untold = [...pending].filter(([name]) => !this.#overdue.has(name))
      if (untold.length === 0) return
      if (world.clock.monotonicMs() > endMs) {
        for (const [name, problem] of untold) {
          this.#overdue.add(name)
          this.tally.problem(`${problem}: for ${settleMsMax} ms in calm`)
        }
        return
      }
      await pause(settleLookMs)
    }
  }

  /** What is not where it belongs, with what is wrong about it. */
  async #pending(): Promise<ReadonlyMap<string, string>> {
    const lacking = lackingGroups(await this.groups(), await this.#listed())
    return new Map([
      ...[...this.#leaving].map((id) => [`node ${id}`, `node ${id} is to leave and does not`] as const),
      ...lacking.map(({ name, problem }) => [`group ${name}`, problem] as const),
    ])
  }

  async #listed(): Promise<readonly ListedMember[]> {
    const { members } = await this.operate<{ readonly members: readonly ListedMember[] }>('member.list')
    return members
  }

  async #giveUp(member: ClusterMember): Promise<void> {
    this.report(`node ${member.id} was never let in: ending it`)
    this.cluster.takeOut(member)
    await member.kill()
    this.forget(member)
  }

  /** While it belongs to the cluster it may be the one that others need. */
  #startLeaver(member: ClusterMember, listed: readonly ListedMember[]): void {
    if (listed.find(({ id }) => id === member.id)?.role === 'none') return
    this.#restartFallen(member)
  }

  /** It has ended: because it was removed after all, or for no reason that may be. */
  async #isExplained(member: ClusterMember): Promise<boolean> {
    await this.agrees()
    return this.members.includes(member) ? this.#restartFallen(member) : true
  }

  /** Nothing but a full disk may end a node. */
  #restartFallen(member: ClusterMember): false {
    const lines = member.process.errors.trim().split('\n')
    const isExcused = member === this.onSmallDisk
    const text = `node ${member.id} has ended: ${lines.at(-1) ?? ''}`
    if (isExcused) this.report(text)
    else this.tally.problem(text)
    member.start()
    return false
  }
}
