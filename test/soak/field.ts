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

  constructor({ cluster, random, tally, smallDisk, report }: FieldOptions) {
    this.cluster = cluster
    this.random = random
    this.tally = tally
    this.smallDisk = smallDisk
    this.report = report
    this.veterans = cluster.members.slice(0, 2)
  }

  get members(): readonly ClusterMember[] {
    return this.cluster.members
  }

  get mortals(): readonly ClusterMember[] {
    return this.members.filter((member) => !this.veterans.includes(member))
  }

  get onSmallDisk(): ClusterMember | undefined {
    const { smallDisk } = this
    if (smallDisk === undefined) return undefined
    return this.members.find(({ dataFolder }) => dataFolder.startsWith(smallDisk.folder))
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

  /** An operator call that has no command. */
  async operate(name: string, argument: Parameters<NodeClient['operate']>[1]): Promise<void> {
    await eventually(`${name} is done`, async () => {
      const { address } = await this.cluster.leader()
      const client = await NodeClient.open(world, address, { clusterId: clusterName })
      try {
        await client.operate(name, argument, operateTimeoutMs)
        return true
      } finally {
        client.close()
      }
    })
  }

  /** Waits until every member serves and a write made it. */
  async heals(): Promise<void> {
    for (const member of this.members) {
      await eventually(
        `node ${member.id} is ready`,
        async () => {
          if (!member.process.isRunning) return this.#restartFallen(member)
          return (await member.status())?.isReady
        },
        healMsMax,
      )
    }
    const sinceMs = world.clock.monotonicMs()
    await eventually('a write is acknowledged', () => (this.tally.lastWriteMs ?? 0) > sinceMs, healMsMax)
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
