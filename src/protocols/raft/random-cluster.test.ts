import { describe, expect, test } from 'vitest'
import { bytesFromText } from '../../base/bytes.ts'
import { ClusterView } from '../../testing/invariants/cluster-view.ts'
import { createRaftInvariants } from '../../testing/invariants/raft-invariants.ts'
import { decodeConfiguration, isJoint, membersOf } from './configuration.ts'
import { describeEntry, SeededRandom, TestMember } from './raft-cluster.testkit.ts'
import type { Configuration, Entry, Message, NodeId, RaftEffect, RaftEvent } from './types.ts'

interface Play {
  readonly voters: number
  /** Nodes that wait to be told to what they belong. */
  readonly spares?: number
  /** Leaders serve reads by their leases, while the clocks of the members drift apart by nearly as much as they may. */
  readonly hasLeases?: boolean
  /** Members that have left give up their copies, and may be told to come back. */
  readonly comeBack?: boolean
}

/**
 * A cluster whose every next event is drawn by chance: deliveries in any order, losses, doubles, partitions, disks that lag, crashes that
 * lose what was not written, compactions, transfers, stalls, changes of the members, nodes that should not lead. After each event the safety properties of
 * paper figure 3 and all the invariants of the simulator are checked.
 */
class RandomCluster {
  readonly members: TestMember[]
  readonly #random: SeededRandom
  readonly #hasSpares: boolean
  readonly #comeBack: boolean
  /** Members that have no copy. */
  readonly #retired = new Set<NodeId>()
  readonly #view: ClusterView
  /** How fast the clock of each member goes. */
  readonly #rates: readonly number[]
  #nowMs = 0
  #network: Message[] = []
  #cut: ReadonlySet<NodeId> = new Set()
  readonly #leaderOfTerm = new Map<number, NodeId>()
  readonly #committed: { term: number; text: string }[] = []
  readonly #readFloors = new Map<number, number>()
  #nextId = 1
  readsServed = 0
  snapshotsInstalled = 0
  changesCommitted = 0
  jointsCommitted = 0
  returns = 0

  constructor(seed: number, { voters: size, spares = 0, hasLeases = false, comeBack = false }: Play) {
    this.#random = new SeededRandom(seed)
    this.#comeBack = comeBack
    this.#hasSpares = spares > 0
    const ids = Array.from({ length: size + spares }, (_, position) => position + 1)
    const voters = ids.slice(0, size)
    this.#rates = ids.map(() => (hasLeases ? 1 + 0.09 * this.#random.float() : 1))
    this.#view = new ClusterView(ids, createRaftInvariants(), (violation) => {
      throw violation
    })
    const limits = this.#random.float() < 0.5 ? { inflightMessagesMax: 2, messageBytesMax: 100 } : {}
    this.members = ids.map(
      (id) =>
        new TestMember(
          { id, ...limits, ...(hasLeases && { leaseDriftMax: 0.1 }) },
          { voters: id > size ? [] : voters },
          this.#random,
          (message) => this.#network.push(message),
          (member, effect) => this.#check(member, effect),
          (member, event, effects) => this.#view.stepped(this.#nowMs, member.id, event, effects, member.raft),
        ),
    )
    for (const { id } of this.members) this.#view.started(id)
  }

  get committedCount(): number {
    return this.#committed.length
  }

  run(steps: number): void {
    for (let step = 0; step < steps; step++) {
      this.#act()
      if (step % 20 === 0) this.checkLogMatching()
    }
  }

  /** All faults end; the cluster must elect a leader and commit on every member. */
  heal(): void {
    this.#cut = new Set()
    for (const id of [...this.#retired]) this.#return(this.members[id - 1] as TestMember)
    const before = this.committedCount
    for (let turn = 0; turn < 400 && !this.#hasConverged(before); turn++) {
      this.#nowMs += 50
      for (const member of this.members) {
        this.#step(member, { type: 'tick' })
        member.sync(this.#timeOf(member))
        if (turn % 40 === 39 && member.role === 'leader') this.#propose(member)
        if (turn % 20 === 19) this.#giveUpTransfers(member)
        if (turn === 0) this.#step(member, { type: 'setEligible', eligible: true })
      }
      for (let round = 0; round < 10; round++) this.#settle()
    }
    expect(this.#hasConverged(before)).toBe(true)
    this.checkLogMatching()
  }

  checkLogMatching(): void {
    const [first, ...others] = this.members
    for (const other of others) if (first !== undefined) expectLogsToMatch(first, other)
  }

  /** What a shell does with a transfer whose chunks go unanswered. */
  #giveUpTransfers(member: TestMember): void {
    for (const [to, { state }] of member.raft.status().progress) {
      if (state === 'snapshot') this.#step(member, { type: 'snapshotSent', to, index: 0, ok: false })
    }
  }

  #settle(): void {
    const batch = this.#network
    this.#network = []
    for (const message of batch) this.#deliver(message)
    for (const member of this.members) member.sync(this.#timeOf(member))
  }

  /** All who belong to the group by then have all of the log, and nothing is left half done. */
  #hasConverged(before: number): boolean {
    const leader = this.members.find(({ role }) => role === 'leader')
    if (leader === undefined || this.committedCount <= before) return false
    const { configuration, configurationIndex } = leader.raft.status()
    if (isJoint(configuration) || configurationIndex > this.committedCount) return false
    return this.members
      .filter(({ id }) => [...configuration.voters, ...(configuration.learners ?? [])].includes(id))
      .every((member) => member.raft.status().commitIndex === this.committedCount)
  }

  #timeOf({ id }: TestMember): number {
    return this.#nowMs * (this.#rates[id - 1] as number)
  }

  #step(member: TestMember, event: RaftEvent): void {
    if (this.#retired.has(member.id)) return
    member.step(event, this.#timeOf(member))
  }

  /**
   * A member whom the newest leader leaves out, by a configuration that is committed, gives up its copy; one that did so gets a new one, so that it may be asked
   * to take part again.
   */
  #retireOrReturn(): void {
    const leader = this.#newestLeader()
    if (leader?.raft.status().committedInTerm !== true) return
    const { configuration, configurationIndex, commitIndex } = leader.raft.status()
    const out = this.members.filter(({ id }) => !membersOf(configuration).includes(id))
    const retired = this.members.filter(({ id }) => this.#retired.has(id))
    const [able, act] =
      this.#random.float() < 0.5 || configurationIndex > commitIndex
        ? [retired, (member: TestMember) => this.#return(member)]
        : [out.filter(({ id }) => !this.#retired.has(id)), (member: TestMember) => this.#retire(member)]
    if (able.length > 0) act(this.#pick(able))
  }

  #retire(member: TestMember): void {
    member.retire(this.#timeOf(member))
    this.#view.givenUp(member.id)
    this.#retired.add(member.id)
  }

  #return(member: TestMember): void {
    this.#retired.delete(member.id)
    this.returns++
    this.#restart(member)
  }

  #newestLeader(): TestMember | undefined {
    const leaders = this.members.filter(({ id, role }) => role === 'leader' && !this.#retired.has(id))
    return leaders.sort((a, b) => b.raft.status().term - a.raft.status().term)[0]
  }

  #restart(member: TestMember): void {
    if (this.#retired.has(member.id)) return
    this.#view.started(member.id)
    member.restart(this.#timeOf(member))
    this.#step(member, { type: 'tick' })
  }

  #act(): void {
    const random = this.#random
    const member = this.#pick(this.members)
    const dice = random.float()
    if (dice < 0.6) this.#deliverSome()
    else if (dice < 0.7) this.#nowMs += random.integer(1, 100)
    else if (dice < 0.8) this.#step(member, { type: 'tick' })
    else if (dice < 0.88) member.sync(this.#timeOf(member), random.integer(1, 3))
    else if (dice < 0.94) this.#propose(this.members.find(({ role }) => role === 'leader') ?? member)
    else if (dice < 0.965) this.#read(member)
    else if (dice < 0.973) this.#disturb(member)
    else if (dice < 0.978) this.#restart(member)
    else if (dice < 0.985 && this.#comeBack) this.#retireOrReturn()
    else if (dice < (this.#comeBack ? 0.99 : 0.986) && this.#hasSpares) this.#change(member)
    else if (dice < 0.99)
      this.#cut = new Set(this.members.filter(() => random.float() < 0.4).map(({ id }) => id))
    else if (dice < 0.995) this.#cut = new Set()
    else if (!this.#retired.has(member.id)) member.compact(this.#timeOf(member), random.integer(0, 3))
  }

  #disturb(member: TestMember): void {
    const other = this.#pick(this.members).id
    const dice = this.#random.float()
    if (dice < 0.25) this.#step(member, { type: 'transferLeadership', to: other })
    else if (dice < 0.5) this.#step(member, { type: 'peerUnreachable', peer: other, isGone: dice < 0.45 })
    else if (dice < 0.6) this.#step(member, { type: 'setEligible', eligible: dice < 0.55 })
    else if (dice < 0.8) this.#step(member, { type: 'snapshotSent', to: other, index: 1, ok: false })
    else this.#nowMs += 1_500
  }

  #deliverSome(): void {
    if (this.#network.length === 0) {
      this.#nowMs += 20
      for (const member of this.members) this.#step(member, { type: 'tick' })
      return
    }
    const at = this.#random.float() < 0.7 ? 0 : this.#random.integer(0, this.#network.length - 1)
    const [message] = this.#network.splice(at, 1)
    if (message === undefined || this.#random.float() < 0.03) return
    if (this.#random.float() < 0.03) this.#network.push(message)
    this.#deliver(message)
  }

  #deliver(message: Message): void {
    if (this.#cut.has(message.from) !== this.#cut.has(message.to)) return
    const member = this.members[message.to - 1]
    if (member !== undefined) this.#step(member, { type: 'receive', message })
  }

  #propose(member: TestMember): void {
    const id = this.#nextId++
    const data = Array.from({ length: this.#random.integer(1, 3) }, (_, n) => bytesFromText(`${id}.${n}`))
    this.#step(member, { type: 'propose', id, data })
  }

  #read(member: TestMember): void {
    const id = this.#nextId++
    this.#readFloors.set(id, this.#committed.length)
    this.#step(member, { type: 'read', id })
  }

  /** One member comes, goes or is promoted; or, as often, any other set of members takes over. */
  #change(anyone: TestMember): void {
    const leader = this.members.find(({ role }) => role === 'leader') ?? anyone
    const { voters, learners = [] } = leader.raft.configuration
    const isNearby = this.#random.float() < 0.5
    const one = this.#pick(this.members).id
    const rest = voters.filter((id) => id !== one)
    const near = rest.length === voters.length ? [...voters, one] : rest
    const wanted = isNearby ? near : this.members.map(({ id }) => id).filter(() => this.#random.float() < 0.5)
    const target: Configuration = {
      voters: wanted.length === 0 ? [one] : wanted,
      learners: this.#learnersFor(wanted.length === 0 ? [one] : wanted, learners),
    }
    this.#step(leader, { type: 'changeConfiguration', id: this.#nextId++, target })
  }

  #learnersFor(voters: readonly NodeId[], before: readonly NodeId[]): NodeId[] {
    const others = this.members.map(({ id }) => id).filter((id) => !voters.includes(id))
    return others.filter((id) => this.#random.float() < (before.includes(id) ? 0.7 : 0.2))
  }

  #check(member: TestMember, effect: RaftEffect): void {
    if (effect.type === 'stateChanged' && effect.role === 'leader') this.#checkLeader(member, effect.term)
    if (effect.type === 'apply') for (const entry of effect.entries) this.#checkCommitted(member, entry)
    if (effect.type === 'acceptSnapshot') this.snapshotsInstalled++
    if (effect.type === 'readReady') {
      this.readsServed++
      // Linearizable: nothing known to be committed before the read began may be missing from it.
      expect(effect.index).toBeGreaterThanOrEqual(this.#readFloors.get(effect.id) ?? Number.POSITIVE_INFINITY)
    }
  }

  #checkLeader(member: TestMember, term: number): void {
    expect(this.#leaderOfTerm.get(term) ?? member.id, 'election safety').toBe(member.id)
    this.#leaderOfTerm.set(term, member.id)
    for (let index = member.raft.status().firstIndex; index <= this.#committed.length; index++) {
      expect(member.raft.term(index), 'leader completeness').toBe(this.#committed[index - 1]?.term)
    }
  }

  #checkCommitted(member: TestMember, entry: Entry): void {
    const { index, term, kind } = entry
    const text = describeEntry(entry)
    const known = this.#committed[index - 1]
    if (known !== undefined) {
      expect({ term, text }, 'state machine safety').toEqual(known)
      return
    }
    expect(index, 'commits without gaps').toBe(this.#committed.length + 1)
    this.#checkOnDisks(member.raft.configuration, index, term)
    this.#committed.push({ term, text })
    if (kind !== 'configuration') return
    this.changesCommitted++
    if (isJoint(decodeConfiguration(entry.data))) this.jointsCommitted++
  }

  /** Of the first member that knows it, which is the leader that committed it. */
  #checkOnDisks({ voters, outgoingVoters = voters }: Configuration, index: number, term: number): void {
    const holders = this.members.filter((member) => member.hasDurably(index, term)).map(({ id }) => id)
    for (const set of [voters, outgoingVoters]) {
      const agreed = set.filter((id) => holders.includes(id))
      expect(agreed.length * 2, 'what is committed is on the disks of a quorum').toBeGreaterThan(set.length)
    }
  }

  #pick<T>(items: readonly T[]): T {
    return items[this.#random.integer(0, items.length - 1)] as T
  }
}

/** Log matching (paper section 5.3): where two logs have the same term at an index, they are equal up to there. */
function expectLogsToMatch(a: TestMember, b: TestMember): void {
  const from = Math.max(a.raft.status().firstIndex, b.raft.status().firstIndex)
  let agreed = Math.min(a.raft.status().lastIndex, b.raft.status().lastIndex)
  while (agreed >= from && a.raft.term(agreed) !== b.raft.term(agreed)) agreed--
  if (agreed < from) return
  const texts = [a, b].map((member) =>
    member.raft.entries(from, agreed, Number.POSITIVE_INFINITY).map(describeEntry),
  )
  expect(texts[0], 'log matching').toEqual(texts[1])
}

interface Tally {
  committed: number
  reads: number
  snapshots: number
  changes: number
  joints: number
  returns: number
}

/** Plays `seeds` runs and heals each: what happened in all of them together. */
function playAll(play: Play, seeds: number, steps: number): Tally {
  const tally: Tally = { committed: 0, reads: 0, snapshots: 0, changes: 0, joints: 0, returns: 0 }
  for (let seed = 1; seed <= seeds; seed++) {
    const cluster = new RandomCluster(seed * 31 + play.voters, play)
    try {
      cluster.run(steps)
      cluster.heal()
    } catch (cause) {
      throw new Error(`seed ${seed}, ${JSON.stringify(play)}: ${(cause as Error).message}`, { cause })
    }
    tally.committed += cluster.committedCount
    tally.reads += cluster.readsServed
    tally.snapshots += cluster.snapshotsInstalled
    tally.changes += cluster.changesCommitted
    tally.joints += cluster.jointsCommitted
    tally.returns += cluster.returns
  }
  return tally
}

describe('a cluster under random faults', () => {
  const seeds = 100
  for (const voters of [1, 2, 3, 5]) {
    test(`${voters} voters: elections, logs, commits and reads stay safe, and it recovers, for ${seeds} seeds`, () => {
      const { committed, reads, snapshots } = playAll({ voters }, seeds, 1_200)
      // The faults leave room for work: otherwise the checks would have checked nothing.
      expect(committed).toBeGreaterThan(seeds * 10)
      expect(reads).toBeGreaterThan(seeds)
      // Two voters commit only together, so neither falls behind a snapshot.
      if (voters > 2) expect(snapshots).toBeGreaterThan(5)
    })
  }

  for (const voters of [1, 3]) {
    const spares = 6 - voters
    test(`${voters} voters and ${spares} who wait: the same while members come, go and take over, for ${seeds} seeds`, () => {
      const { committed, changes, joints, snapshots } = playAll({ voters, spares }, seeds, 3_000)
      expect(committed).toBeGreaterThan(seeds * 10)
      expect(changes).toBeGreaterThan(seeds)
      expect(joints).toBeGreaterThan(seeds / 4)
      expect(snapshots).toBeGreaterThan(10)
    })
  }

  test(`members that have left give up their copies, and come back without a log: the same, for ${seeds} seeds`, () => {
    for (const voters of [1, 3]) {
      const { committed, changes, returns } = playAll({ voters, spares: 2, comeBack: true }, seeds, 3_000)
      expect(committed).toBeGreaterThan(seeds * 10)
      expect(changes).toBeGreaterThan(seeds)
      expect(returns).toBeGreaterThan(seeds / 2)
    }
  })

  test(`with leases and clocks that drift: reads miss nothing, for ${seeds} seeds`, () => {
    const { reads, changes } = playAll({ voters: 3, spares: 2, hasLeases: true }, seeds, 3_000)
    expect(reads).toBeGreaterThan(seeds * 5)
    expect(changes).toBeGreaterThan(seeds / 2)
  })
})
