import { describe, expect, test } from 'vitest'
import { bytesFromText } from '../../base/bytes.ts'
import { describeEntry, SeededRandom, TestMember } from './raft-cluster.testkit.ts'
import type { Message, NodeId, RaftEffect } from './types.ts'

/**
 * A cluster whose every next event is drawn by chance: deliveries in any order, losses, doubles, partitions, disks that lag, crashes that
 * lose what was not written, compactions, transfers, stalls. After each event the safety properties of paper figure 3 are checked.
 */
class RandomCluster {
  readonly members: TestMember[]
  readonly #random: SeededRandom
  readonly #quorumSize: number
  #nowMs = 0
  #network: Message[] = []
  #cut: ReadonlySet<NodeId> = new Set()
  readonly #leaderOfTerm = new Map<number, NodeId>()
  readonly #committed: { term: number; text: string }[] = []
  readonly #readFloors = new Map<number, number>()
  #nextId = 1
  readsServed = 0
  snapshotsInstalled = 0

  constructor(seed: number, size: number) {
    this.#random = new SeededRandom(seed)
    this.#quorumSize = Math.floor(size / 2) + 1
    const voters = Array.from({ length: size }, (_, position) => position + 1)
    const limits = this.#random.float() < 0.5 ? { inflightMessagesMax: 2, messageBytesMax: 100 } : {}
    this.members = voters.map(
      (id) =>
        new TestMember(
          { id, ...limits },
          voters,
          this.#random,
          (message) => this.#network.push(message),
          (member, effect) => this.#check(member, effect),
        ),
    )
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
    const before = this.committedCount
    for (let turn = 0; turn < 400 && !this.#hasConverged(before); turn++) {
      this.#nowMs += 50
      for (const member of this.members) {
        member.step({ type: 'tick' }, this.#nowMs)
        member.sync(this.#nowMs)
        if (turn % 40 === 39 && member.role === 'leader') this.#propose(member)
        if (turn % 20 === 19) this.#giveUpTransfers(member)
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
      if (state === 'snapshot') member.step({ type: 'snapshotSent', to, index: 0, ok: false }, this.#nowMs)
    }
  }

  #settle(): void {
    const batch = this.#network
    this.#network = []
    for (const message of batch) this.#deliver(message)
    for (const member of this.members) member.sync(this.#nowMs)
  }

  #hasConverged(before: number): boolean {
    const commits = this.members.map((member) => member.raft.status().commitIndex)
    return this.committedCount > before && commits.every((commit) => commit === this.committedCount)
  }

  #act(): void {
    const random = this.#random
    const member = this.#pick(this.members)
    const dice = random.float()
    if (dice < 0.6) this.#deliverSome()
    else if (dice < 0.7) this.#nowMs += random.integer(1, 100)
    else if (dice < 0.8) member.step({ type: 'tick' }, this.#nowMs)
    else if (dice < 0.88) member.sync(this.#nowMs, random.integer(1, 3))
    else if (dice < 0.94) this.#propose(this.members.find(({ role }) => role === 'leader') ?? member)
    else if (dice < 0.965) this.#read(member)
    else if (dice < 0.975) this.#disturb(member)
    else if (dice < 0.98) member.restart(this.#nowMs)
    else if (dice < 0.985)
      this.#cut = new Set(this.members.filter(() => random.float() < 0.4).map(({ id }) => id))
    else if (dice < 0.99) this.#cut = new Set()
    else member.compact(this.#nowMs, random.integer(0, 3))
  }

  #disturb(member: TestMember): void {
    const other = this.#pick(this.members).id
    const dice = this.#random.float()
    if (dice < 0.3) member.step({ type: 'transferLeadership', to: other }, this.#nowMs)
    else if (dice < 0.6)
      member.step({ type: 'peerUnreachable', peer: other, isGone: dice < 0.55 }, this.#nowMs)
    else if (dice < 0.8) member.step({ type: 'snapshotSent', to: other, index: 1, ok: false }, this.#nowMs)
    else this.#nowMs += 1_500
  }

  #deliverSome(): void {
    if (this.#network.length === 0) {
      this.#nowMs += 20
      for (const member of this.members) member.step({ type: 'tick' }, this.#nowMs)
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
    this.members[message.to - 1]?.step({ type: 'receive', message }, this.#nowMs)
  }

  #propose(member: TestMember): void {
    const id = this.#nextId++
    const data = Array.from({ length: this.#random.integer(1, 3) }, (_, n) => bytesFromText(`${id}.${n}`))
    member.step({ type: 'propose', id, data }, this.#nowMs)
  }

  #read(member: TestMember): void {
    const id = this.#nextId++
    this.#readFloors.set(id, this.#committed.length)
    member.step({ type: 'read', id }, this.#nowMs)
  }

  #check(member: TestMember, effect: RaftEffect): void {
    if (effect.type === 'stateChanged' && effect.role === 'leader') this.#checkLeader(member, effect.term)
    if (effect.type === 'apply')
      for (const entry of effect.entries) this.#checkCommitted(entry.index, entry.term, describeEntry(entry))
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

  #checkCommitted(index: number, term: number, text: string): void {
    const known = this.#committed[index - 1]
    if (known !== undefined) {
      expect({ term, text }, 'state machine safety').toEqual(known)
      return
    }
    expect(index, 'commits without gaps').toBe(this.#committed.length + 1)
    const holders = this.members.filter((member) => member.hasDurably(index, term))
    expect(holders.length, 'what is committed is on the disks of a quorum').toBeGreaterThanOrEqual(
      this.#quorumSize,
    )
    this.#committed.push({ term, text })
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

describe('a cluster under random faults', () => {
  const seeds = 120
  for (const size of [1, 2, 3, 5]) {
    test(`${size} voters: elections, logs, commits and reads stay safe, and it recovers, for ${seeds} seeds`, () => {
      let committed = 0
      let reads = 0
      let snapshots = 0
      for (let seed = 1; seed <= seeds; seed++) {
        const cluster = new RandomCluster(seed * 31 + size, size)
        try {
          cluster.run(1_200)
          cluster.heal()
        } catch (cause) {
          throw new Error(`seed ${seed}, ${size} voters: ${(cause as Error).message}`, { cause })
        }
        committed += cluster.committedCount
        reads += cluster.readsServed
        snapshots += cluster.snapshotsInstalled
      }
      // The faults leave room for work: otherwise the checks would have checked nothing.
      expect(committed).toBeGreaterThan(seeds * 10)
      expect(reads).toBeGreaterThan(seeds)
      // Two voters commit only together, so neither falls behind a snapshot.
      if (size > 2) expect(snapshots).toBeGreaterThan(10)
    })
  }
})
