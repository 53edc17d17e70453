import { eventually, pause } from '../processes/support/eventually.ts'
import type { ClusterMember } from '../processes/support/node-cluster.ts'
import type { Field } from './field.ts'
import { nodeArguments } from './node-arguments.ts'

/** Something that is done to the cluster. It ends with everything undone that would keep the cluster from healing. */
export interface Fault {
  readonly kind: string
  /** How often it is drawn, against the others. */
  readonly weight: number
  isPossible(field: Field): boolean
  run(field: Field): Promise<void>
}

const always = (): boolean => true
const sizeMin = 3
const sizeMax = 5
const lowBytes = 100 * 1024 * 1024

export const nodeFaults: readonly Fault[] = [
  { kind: 'kill leader', weight: 4, isPossible: always, run: killLeader },
  { kind: 'kill follower', weight: 3, isPossible: always, run: killFollower },
  { kind: 'kill two', weight: 1, isPossible: ({ members }) => members.length === sizeMax, run: killTwo },
  { kind: 'pause', weight: 3, isPossible: always, run: pauseOne },
  { kind: 'cut off', weight: 3, isPossible: always, run: cutOff },
  { kind: 'transfer', weight: 1, isPossible: always, run: transfer },
  { kind: 'drain and restart', weight: 2, isPossible: always, run: drainAndRestart },
  {
    kind: 'fill disk',
    weight: 3,
    isPossible: ({ onSmallDisk, members }) => onSmallDisk !== undefined && members.includes(onSmallDisk),
    run: fillDisk,
  },
  { kind: 'add member', weight: 4, isPossible: ({ members }) => members.length < sizeMax, run: add },
  { kind: 'remove member', weight: 2, isPossible: ({ members }) => members.length > sizeMin, run: remove },
  { kind: 'replace member', weight: 2, isPossible: always, run: replace },
]

/** A store without its disk: the bound on the store itself is what fills up. */
export const quotaFault: Fault = { kind: 'fill quota', weight: 3, isPossible: always, run: fillQuota }

async function killAndRestart(victim: ClusterMember, downMs: number): Promise<void> {
  await victim.kill()
  await pause(downMs)
  victim.start()
  await victim.ready()
}

async function killLeader(field: Field): Promise<void> {
  const leader = (await field.makeLeader(field.mortals)) ?? field.random.pick(field.mortals)
  field.report(`killing leader ${leader.id}`)
  await killAndRestart(leader, field.random.integer(0, 4_000))
}

async function killFollower(field: Field): Promise<void> {
  const leader = await field.cluster.presentLeader()
  const followers = field.mortals.filter((member) => member !== leader)
  const victim = field.random.pick(followers.length === 0 ? field.mortals : followers)
  field.report(`killing node ${victim.id}`)
  await killAndRestart(victim, field.random.integer(0, 4_000))
}

async function killTwo(field: Field): Promise<void> {
  const [one, other] = field.random.shuffle(field.mortals) as [ClusterMember, ClusterMember]
  field.report(`killing nodes ${one.id} and ${other.id}`)
  await Promise.all([one, other].map((each) => killAndRestart(each, field.random.integer(0, 3_000))))
}

async function pauseOne(field: Field): Promise<void> {
  const leader = await field.cluster.presentLeader()
  const victim = field.random.chance(0.5) && leader !== undefined ? leader : field.random.pick(field.members)
  field.report(`stopping node ${victim.id} for a while${victim === leader ? ', the leader' : ''}`)
  victim.pause()
  await pause(field.random.integer(500, 5_000))
  victim.resume()
}

async function cutOff(field: Field): Promise<void> {
  const leader = await field.cluster.presentLeader()
  const victim = field.random.chance(0.5) && leader !== undefined ? leader : field.random.pick(field.members)
  field.report(`cutting node ${victim.id} off${victim === leader ? ', the leader' : ''}`)
  await victim.cutOffFrom(field.cluster.members)
  await pause(field.random.integer(500, 5_000))
  await victim.cutOffFrom([])
}

async function transfer(field: Field): Promise<void> {
  const heir = field.random.pick(field.members)
  field.report(`handing leadership to node ${heir.id}`)
  await field.command('transfer-leader', String(heir.id))
}

async function drainAndRestart(field: Field): Promise<void> {
  const victim = field.random.pick(field.mortals)
  field.report(`draining node ${victim.id} and restarting it`)
  await field.command('drain', String(victim.id))
  await victim.stop()
  victim.start()
  await victim.ready()
}

async function fillDisk(field: Field): Promise<void> {
  const { smallDisk, random } = field
  const victim = field.onSmallDisk as ClusterMember
  if (random.chance(0.5)) await field.makeLeader([victim])
  const leftBytes = random.chance(0.5) ? lowBytes : 0
  field.report(`filling the disk of node ${victim.id}, leaving ${leftBytes} bytes`)
  try {
    smallDisk?.fill(leftBytes)
    await pause(random.integer(3_000, 8_000))
    if (leftBytes > 0) await givesUpLeadership(field, victim)
  } finally {
    smallDisk?.free()
  }
}

/** A node whose disk is all but full hands over while others can lead. */
async function givesUpLeadership(field: Field, victim: ClusterMember): Promise<void> {
  await eventually(`node ${victim.id} does not lead with a full disk`, async () => {
    const leader = await field.cluster.presentLeader()
    return leader !== undefined && leader !== victim
  })
}

async function fillQuota(field: Field): Promise<void> {
  field.report('filling the quota of the store')
  const leader = await (await field.cluster.leader()).ready()
  const quotaBytes = leader.operations?.store.quotaBytes ?? 0
  await field.operate('store.set-quota', { quotaBytes: 1 })
  await pause(field.random.integer(2_000, 6_000))
  await field.operate('store.set-quota', { quotaBytes })
}

/** Runs the command that invites, then the node that is invited; resolves when it votes. */
async function joins(field: Field, ...invitation: readonly string[]): Promise<ClusterMember> {
  const { id, token } = await eventually(`althing member ${invitation.join(' ')}`, () =>
    field.command('member', ...invitation),
  )
  const member = await field.cluster.join(Number(id), String(token), field.placeForNew(), nodeArguments)
  await eventually(`node ${member.id} votes`, async () => {
    const status = await (await field.cluster.presentLeader())?.status()
    return status?.members.some((each) => each.id === member.id && each.isVoter)
  })
  return member
}

async function add(field: Field): Promise<void> {
  field.report('adding a member')
  const [member] = await Promise.all([joins(field, 'add'), sometimesKillMeanwhile(field)])
  field.report(`node ${member.id} votes`)
}

/** A change of members must survive the death of whoever works at it. */
async function sometimesKillMeanwhile(field: Field): Promise<void> {
  if (!field.random.chance(0.5)) return
  await pause(field.random.integer(500, 3_000))
  const leader = await field.cluster.presentLeader()
  const victim = leader !== undefined && field.mortals.includes(leader) ? leader : field.mortals[0]
  if (victim === undefined) return
  field.report(`killing node ${victim.id} meanwhile`)
  await killAndRestart(victim, field.random.integer(0, 1_000))
}

async function remove(field: Field): Promise<void> {
  const leader = await field.makeLeader(field.mortals)
  const victim = leader !== undefined && field.random.chance(0.5) ? leader : field.random.pick(field.mortals)
  field.report(`removing node ${victim.id}${victim === leader ? ', the leader' : ''}`)
  await field.removes(victim.id)
  await field.departs(victim)
}

async function replace(field: Field): Promise<void> {
  const victim = field.random.pick(field.mortals)
  field.report(`killing node ${victim.id} for good, and replacing it`)
  await victim.kill()
  field.cluster.takeOut(victim)
  field.forget(victim)
  const heir = await joins(field, 'replace', String(victim.id))
  field.report(`node ${heir.id} has taken its place`)
}
