import type { ClusterMember, NodeCluster } from '../support/node-cluster.ts'
import { world } from '../support/node-cluster.ts'
import { eventually, pause } from '../support/eventually.ts'
import type { OutageMeter } from './outages.ts'

/** Between the end of one fault and the next, so that there is always something to break. */
const calmMs: Range = [300, 1_500]
const pausedMs: Range = [1_000, 4_000]
const downMs: Range = [200, 2_500]
const leaderShare = 0.5
const killShare = 0.5
/** The rest is cut off from the other members, with its clients still connected. */
const pauseShare = 0.25
/** After the death of a leader so many writes must have been acknowledged before the next fault of the same slot. */
const servedWrites = 5

type Range = readonly [min: number, max: number]

export interface FaultCounts {
  leaderKills: number
  followerKills: number
  pauses: number
  cuts: number
}

/**
 * Kills members, pauses them and cuts them off from the others, the leader half of the time, and brings them back; never more than a minority
 * at once. One slot for each member that may be missing; each slot harms one member at a time. The first harm is the death of a leader, so that no run
 * is without.
 */
export class Killer {
  readonly counts: FaultCounts = { leaderKills: 0, followerKills: 0, pauses: 0, cuts: 0 }
  readonly #cluster: NodeCluster
  readonly #outages: OutageMeter
  readonly #report: (text: string) => void
  readonly #harmed = new Set<ClusterMember>()
  readonly #stopped = new AbortController()
  #work: Promise<unknown> | undefined

  constructor(cluster: NodeCluster, outages: OutageMeter, report: (text: string) => void) {
    this.#cluster = cluster
    this.#outages = outages
    this.#report = report
  }

  start(): void {
    const slots = Math.floor((this.#cluster.members.length - 1) / 2)
    this.#work = Promise.all(Array.from({ length: slots }, () => this.#harmAgainAndAgain()))
    this.#work.catch(() => {})
  }

  /** Resolves when every member runs again. Rejects with what went wrong meanwhile. */
  async stop(): Promise<void> {
    this.#stopped.abort()
    await this.#work
  }

  async #harmAgainAndAgain(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      await pause(drawn(calmMs))
      const leader = await this.#cluster.presentLeader()
      const isFirst = this.counts.leaderKills === 0
      const victim = isFirst ? leader : this.#choose(leader)
      if (victim === undefined || this.#harmed.has(victim)) continue
      this.#harmed.add(victim)
      try {
        await this.#harm(victim, victim === leader, isFirst ? 0 : world.random.float())
      } finally {
        this.#harmed.delete(victim)
      }
    }
  }

  async #harm(victim: ClusterMember, isLeader: boolean, dice: number): Promise<void> {
    if (dice < killShare) await this.#kill(victim, isLeader)
    else if (dice < killShare + pauseShare) await this.#pause(victim)
    else await this.#cutOff(victim)
  }

  #choose(leader: ClusterMember | undefined): ClusterMember | undefined {
    const free = this.#cluster.members.filter((member) => !this.#harmed.has(member))
    if (leader !== undefined && free.includes(leader) && world.random.float() < leaderShare) return leader
    const others = free.filter((member) => member !== leader)
    return others[world.random.integer(0, others.length - 1)]
  }

  async #kill(victim: ClusterMember, isLeader: boolean): Promise<void> {
    const killedMs = world.clock.monotonicMs()
    await victim.kill()
    this.#report(`killed node ${victim.id}${isLeader ? ', the leader' : ''}`)
    this.counts[isLeader ? 'leaderKills' : 'followerKills'] += 1
    if (isLeader) {
      this.#outages.leaderKilled(killedMs)
      await eventually(`writes after the death of leader ${victim.id}`, () => {
        return this.#outages.countSince(killedMs) >= servedWrites
      })
    } else await pause(drawn(downMs))
    victim.start()
    await victim.ready()
  }

  async #pause(victim: ClusterMember): Promise<void> {
    victim.pause()
    this.#report(`paused node ${victim.id}`)
    this.counts.pauses += 1
    await pause(drawn(pausedMs))
    victim.resume()
    await victim.ready()
  }

  async #cutOff(victim: ClusterMember): Promise<void> {
    await victim.cutOffFrom(this.#cluster.members)
    this.#report(`cut off node ${victim.id}`)
    this.counts.cuts += 1
    await pause(drawn(pausedMs))
    await victim.cutOffFrom([])
    await victim.ready()
  }
}

function drawn([min, max]: Range): number {
  return world.random.integer(min, max)
}
