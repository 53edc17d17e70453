import { describe, expect, test } from 'vitest'
import { ElectionCluster } from '../../testing/machines/election-cluster.ts'
import { bullyCost, ringCost } from '../../testing/machines/election-costs.ts'
import { raftCost } from '../../testing/machines/raft-election-cost.ts'
import { electionFaults, simulateElection } from '../../testing/machines/simulate-election.ts'
import { SeededRandom } from '../../testing/world/seeded-random.ts'
import { Bully } from './bully.ts'
import { RingElection } from './ring.ts'

const seeds = Array.from({ length: 100 }, (_, i) => i + 1)
/** Finds a node that elects before all others know of it. */
const kept = [549]
const algorithms = ['bully', 'ring'] as const

function clusterOf(algorithm: (typeof algorithms)[number], members = [3, 1, 5, 2, 4]): ElectionCluster {
  const random = new SeededRandom(1)
  const cluster = new ElectionCluster({ algorithm, random, members, delayMsMax: 50, heartbeatMs: 200 })
  for (const member of members) cluster.start(member)
  return cluster
}

describe.each(algorithms)('the %s machine', (algorithm) => {
  test('while only crashes happen: never two leaders at once, and agreement on the greatest after them (100 seeds)', () => {
    let elections = 0
    for (const seed of [...seeds, ...kept]) {
      const report = simulateElection({ algorithm, seed, faults: ['crash'] })
      expect(report.violation, `seed ${seed}`).toBeUndefined()
      expect(report.doubleMs).toBe(0)
      elections += report.elections
    }
    expect(elections).toBeGreaterThan(500)
  })

  test('with lost, late and doubled messages and partitions: two at once, never in one term, and agreement after them (100 seeds)', () => {
    let doubleMs = 0
    for (const seed of seeds) {
      const report = simulateElection({ algorithm, seed, faults: electionFaults })
      expect(report.violation, `seed ${seed}`).toBeUndefined()
      doubleMs += report.doubleMs
    }
    expect(doubleMs).toBeGreaterThan(100_000)
  })

  test('the greatest leads; after its crash the next; when it comes back it takes over, in a term of its own', () => {
    const cluster = clusterOf(algorithm)
    const agree = (): void => {
      expect(cluster.network.runUntil(cluster.network.nowMs + 5_000, () => cluster.hasAgreed)).toBe(true)
    }
    agree()
    const first = cluster.machine(5)?.state.term
    cluster.crash(5)
    agree()
    expect([...cluster.leaders.keys()]).toEqual([4])
    cluster.start(5)
    agree()
    expect([...cluster.leaders.keys()]).toEqual([5])
    expect(cluster.machine(5)?.state.term).not.toBe(first)
  })

  test('in two parts each has its leader; once the network is whole again the greatest leads all', () => {
    const cluster = clusterOf(algorithm)
    cluster.network.runUntil(5_000)
    cluster.network.part(
      new Map([
        [1, 1],
        [2, 1],
        [4, 1],
      ]),
    )
    cluster.network.runUntil(10_000)
    expect([...cluster.leaders.keys()].sort()).toEqual([4, 5])
    cluster.network.part(new Map())
    cluster.network.runUntil(20_000)
    expect([[...cluster.leaders.keys()], cluster.hasAgreed]).toEqual([[5], true])
  })

  test('a leader that resigns is followed by the greatest that stands, without waiting for its silence', () => {
    const cluster = clusterOf(algorithm)
    cluster.network.runUntil(5_000)
    cluster.setEligible(5, false)
    expect(cluster.leaders.size).toBe(0)
    expect(cluster.network.runUntil(5_000 + 12 * 50, () => cluster.leaders.has(4))).toBe(true)
    cluster.network.runUntil(10_000)
    expect(cluster.machine(5)?.state).toMatchObject({ role: 'follower', leader: 4 })
    cluster.setEligible(5, true)
    cluster.network.runUntil(15_000)
    expect([...cluster.leaders.keys()]).toEqual([5])
  })

  test('a node that is alone leads by itself', () => {
    const cluster = clusterOf(algorithm, [7])
    cluster.network.runUntil(1_000)
    expect(cluster.leaders.has(7)).toBe(true)
  })

  test.each([
    ['id', { id: 9 }],
    ['members', { members: [1, 1] }],
    ['members', { members: [0, 1] }],
    ['delayMsMax', { delayMsMax: 0 }],
    ['heartbeatMs', { heartbeatMs: Number.NaN }],
    ['term', { term: -1 }],
  ])('refuses a wrong %s', (field, wrong) => {
    const options = { id: 1, members: [1, 2, 3], ...wrong }
    const create = () => (algorithm === 'bully' ? new Bully(options, 0) : new RingElection(options, 0))
    expect(create).toThrowError(
      expect.objectContaining({ code: 'invalid-argument', message: expect.stringContaining(field) }),
    )
  })
})

describe('the bully machine step by step (Garcia-Molina 1982)', () => {
  const bully = (id: number) =>
    new Bully({ id, members: [1, 2, 3], delayMsMax: 10, heartbeatMs: 100, electsAtStart: false }, 0)
  const types = (effects: readonly { type: string; message?: { type: string; to: number } }[]): string[] =>
    effects.flatMap(({ message }) => (message === undefined ? [] : [`${message.type} ${message.to}`]))

  test('asks the greater ones only; without an answer in two delays it halts the smaller ones, and then leads', () => {
    const machine = bully(2)
    expect(types(machine.step({ type: 'suspect' }, 0))).toEqual(['areYouUp 3'])
    expect(machine.nextDeadlineMs).toBe(20)
    expect(types(machine.step({ type: 'tick' }, 20))).toEqual(['halt 1'])
    const halted = { type: 'halted', from: 1, to: 2, term: 7 } as const
    const effects = machine.step({ type: 'receive', message: halted }, 25)
    expect(types(effects)).toEqual(['elected 1', 'alive 3'])
    expect(effects.slice(0, 2).map(({ type }) => type)).toEqual(['persist', 'stateChanged'])
    // Its own next one after the greatest that the smaller one remembered: terms of node 2 of three are 2, 5, 8, ...
    expect(machine.state).toEqual({ role: 'leader', term: 8, leader: 2 })
  })

  test('an answer ends its candidacy; if nobody is elected in time it begins again', () => {
    const machine = bully(1)
    machine.step({ type: 'suspect' }, 0)
    machine.step({ type: 'receive', message: { type: 'up', from: 2, to: 1, term: 0 } }, 5)
    expect(types(machine.step({ type: 'tick' }, 20))).toEqual([])
    expect(types(machine.step({ type: 'tick' }, 65))).toEqual(['areYouUp 2', 'areYouUp 3'])
  })

  test('a leader that is halted says that it leads no more before it acknowledges', () => {
    const machine = bully(2)
    machine.step({ type: 'suspect' }, 0)
    machine.step({ type: 'tick' }, 20)
    machine.step({ type: 'tick' }, 40)
    expect(machine.state.role).toBe('leader')
    const effects = machine.step({ type: 'receive', message: { type: 'halt', from: 3, to: 2, term: 0 } }, 50)
    expect(effects.map((effect) => (effect.type === 'send' ? effect.message.type : effect.type))).toEqual([
      'stateChanged',
      'halted',
    ])
  })
})

describe('what an election costs', () => {
  test.each([5, 16, 64])(
    'bully, %i nodes: linear if the greatest notices, quadratic if the least does',
    (n) => {
      // To the crashed one; halt, halted and elected for the others.
      expect(bullyCost(n, 'greatest').messages).toBe(1 + 3 * (n - 2))
      const { messages } = bullyCost(n, 'least')
      expect(messages).toBeGreaterThan((n * n) / 2)
      expect(messages).toBeLessThan(1.5 * n * n)
    },
  )

  test.each([5, 16, 64])(
    'ring, %i nodes, one begins: 3n - 1 messages at most (the greatest is last), 2n at least',
    (n) => {
      const members = Array.from({ length: n }, (_, place) => place + 1)
      expect(ringCost(members, [1]).messages).toBe(3 * n - 1)
      expect(ringCost(members, [n]).messages).toBe(2 * n)
    },
  )

  test.each([5, 16, 64])(
    'ring, %i nodes, all begin: n(n + 1)/2 + n at worst, 3n - 1 at best, n·H(n) + n in the mean',
    (n) => {
      const members = Array.from({ length: n }, (_, place) => place + 1)
      expect(ringCost([...members].reverse()).messages).toBe((n * (n + 1)) / 2 + n)
      expect(ringCost(members).messages).toBe(3 * n - 1)
      const rings = 200
      let sum = 0
      for (let seed = 1; seed <= rings; seed++)
        sum += ringCost(new SeededRandom(seed).shuffle(members), undefined, seed).messages
      const harmonic = members.reduce((total, member) => total + 1 / member, 0)
      const derived = n * harmonic + n
      expect(sum / rings).toBeGreaterThan(derived * 0.93)
      expect(sum / rings).toBeLessThan(derived * 1.07)
    },
  )

  test.each([5, 16])(
    'raft, %i nodes, one asks: three rounds to all but itself, and what is committed to half of them',
    (n) => {
      const rounds = 3 * (n - 1 + (n - 2))
      expect(raftCost(n).messages).toBe(rounds + 2 * Math.floor(n / 2))
      expect(raftCost(n).delays).toBeLessThan(5)
    },
  )
})
