import { describe, expect, test } from 'vitest'
import { bytesFromText } from '../../base/bytes.ts'
import { encodeCommand } from '../../models/store/codec.ts'
import { StoreModel } from '../../models/store/store-model.ts'
import { encodeConfiguration } from '../../protocols/raft/configuration.ts'
import type { Configuration, Entry, RaftEffect, RaftEvent, RaftStatus } from '../../protocols/raft/types.ts'
import { checkAcknowledgedWrites } from './acknowledged-writes.ts'
import type { Answer } from './answers.ts'
import { ClusterView } from './cluster-view.ts'
import { CommittedLog } from './committed-log.ts'
import { checkLeasesEnded } from './lease-ends.ts'
import { checkLeaseNeverEarly } from './lease-never-early.ts'
import { checkLocalReadsMonotone } from './local-reads-monotone.ts'
import { checkFencedWrites, checkLockExclusive } from './lock-exclusive.ts'
import { createRaftInvariants } from './raft-invariants.ts'
import { checkReadsShowPastStates } from './reads-past-states.ts'
import { checkRealTimeOrder } from './real-time-order.ts'
import { ReplicasEqual } from './replicas-equal.ts'

const entry = (index: number, term: number, text = ''): Entry => ({
  index,
  term,
  kind: 'command',
  data: bytesFromText(text),
})

/** Three members whose steps a test writes down; only the rules are real. */
class Scene {
  readonly broken: string[] = []
  readonly #view = new ClusterView([1, 2, 3], createRaftInvariants(), ({ invariant }) =>
    this.broken.push(invariant),
  )
  readonly #states = new Map<number, RaftStatus>()
  readonly #logs = new Map<number, number[]>()

  start(id: number, status: Partial<RaftStatus> = {}, log: number[] = []): this {
    this.#view.started(id)
    const base = {
      id,
      role: 'follower',
      term: 1,
      vote: 0,
      leader: 0,
      commitIndex: 0,
      appliedIndex: 0,
    } as const
    const ends = { firstIndex: 1, lastIndex: log.length, lastTerm: 0, persistedIndex: log.length }
    const rest = {
      configuration: { voters: [1, 2, 3] },
      configurationIndex: 0,
      isEligible: true,
      progress: new Map(),
      nextDeadlineMs: 0,
      committedInTerm: false,
    }
    this.#states.set(id, { ...base, ...ends, ...rest, ...status })
    this.#logs.set(id, log)
    return this.step(id, {})
  }

  step(
    id: number,
    change: Partial<RaftStatus>,
    effects: RaftEffect[] = [],
    event: RaftEvent = { type: 'tick' },
  ): this {
    const log = this.#logs.get(id) as number[]
    for (const effect of effects) {
      if (effect.type === 'persist') for (const each of effect.entries) log[each.index - 1] = each.term
    }
    const status = { ...(this.#states.get(id) as RaftStatus), lastIndex: log.length, ...change }
    this.#states.set(id, status)
    const term = (index: number): number | undefined => log[index - 1]
    this.#view.stepped(0, id, event, effects, { status: () => status, term })
    return this
  }

  all(): this {
    return this.start(1).start(2).start(3)
  }

  /** Term and vote are asked to be written, and are. */
  vote(id: number, term: number, vote: number): this {
    this.step(id, { term, vote }, [
      { type: 'persist', sequence: term, entries: [], hardState: { term, vote } },
    ])
    return this.step(id, {}, [], { type: 'persisted', sequence: term })
  }

  elect(id: number, term: number): this {
    for (const voter of [1, 2]) this.vote(voter, term, id)
    return this.step(id, { role: 'leader' })
  }
}

const persist = (sequence: number, ...entries: Entry[]): RaftEffect => ({
  type: 'persist',
  sequence,
  entries,
})

/** The entry at 1, of `term`, is on the disks of these. */
function durableOn(scene: Scene, term: number, ...ids: number[]): Scene {
  for (const id of ids) {
    scene.step(id, {}, [persist(3, entry(1, term))])
    scene.step(id, { persistedIndex: 1 }, [], { type: 'persisted', sequence: 3 })
  }
  return scene
}

/** Member 1 leads, uses the configuration of entry 1, which is committed where `status` does not say otherwise, and puts another into its log. */
function changing(scene: Scene, next: Configuration, status: Partial<RaftStatus>): Scene {
  durableOn(scene.elect(1, 2), 2, 1, 2)
  scene.step(1, { configurationIndex: 1, commitIndex: 1, committedInTerm: true, ...status })
  const change: Entry = { ...entry(2, 2), kind: 'configuration', data: encodeConfiguration(next) }
  return scene.step(1, { configuration: next, configurationIndex: 2 }, [persist(9, change)])
}

describe('the invariants of raft find', () => {
  test('nothing where nothing is wrong', () => {
    const scene = new Scene()
      .all()
      .elect(1, 2)
      .step(1, {}, [persist(3, entry(1, 2))])
    scene
      .step(2, {}, [persist(3, entry(1, 2))])
      .step(2, { persistedIndex: 1 }, [], { type: 'persisted', sequence: 3 })
    scene.step(1, { persistedIndex: 1, commitIndex: 1 }, [], { type: 'persisted', sequence: 3 })
    expect(scene.broken).toEqual([])
  })

  test.each<[string, (scene: Scene) => Scene]>([
    ['election-safety', (scene) => scene.elect(1, 2).vote(3, 2, 3).step(3, { role: 'leader' })],
    ['votes-are-durable', (scene) => scene.vote(1, 2, 1).step(1, { role: 'leader' })],
    [
      'leader-append-only',
      (scene) =>
        scene
          .elect(1, 2)
          .step(1, {}, [persist(3, entry(1, 2))])
          .step(1, {}, [persist(4, entry(1, 2))]),
    ],
    [
      'log-matching',
      (scene) =>
        scene.step(2, {}, [persist(1, entry(1, 1, 'a'))]).step(3, {}, [persist(1, entry(1, 1, 'b'))]),
    ],
    [
      'own-term-commit',
      (scene) =>
        scene
          .step(1, {}, [persist(1, entry(1, 1))])
          .elect(1, 2)
          .step(1, { commitIndex: 1 }),
    ],
    [
      'leader-completeness',
      (scene) =>
        scene
          .step(2, {}, [persist(1, entry(1, 1))])
          .step(2, { commitIndex: 1 })
          .elect(1, 2),
    ],
    [
      'committed-is-durable',
      (scene) => scene.step(1, {}, [persist(1, entry(1, 1))]).step(1, { commitIndex: 1 }),
    ],
    [
      'committed-is-durable',
      (scene) =>
        // Two of three voters of one set, one of three of the other.
        durableOn(scene.start(4).start(5), 1, 1, 2).step(1, {
          commitIndex: 1,
          configuration: { voters: [1, 4, 5], outgoingVoters: [1, 2, 3] },
        }),
    ],
    [
      'committed-is-durable',
      (scene) =>
        durableOn(scene, 1, 1, 2).step(1, {
          commitIndex: 1,
          configuration: { voters: [1, 3, 4], learners: [2] },
        }),
    ],
    [
      'votes-are-durable',
      (scene) =>
        scene
          .vote(1, 2, 1)
          .vote(2, 2, 1)
          .step(1, { role: 'leader', configuration: { voters: [1, 2, 3], outgoingVoters: [1, 4, 5] } }),
    ],
    ['configuration-steps', (scene) => changing(scene, { voters: [1, 2, 3, 4, 5] }, {})],
    ['configuration-steps', (scene) => changing(scene, { voters: [1, 2] }, { commitIndex: 0 })],
    ['configuration-steps', (scene) => changing(scene, { voters: [1, 2] }, { committedInTerm: false })],
    [
      'state-machine-safety',
      (scene) =>
        scene
          .step(1, {}, [{ type: 'apply', entries: [entry(1, 1, 'a')] }])
          .step(2, {}, [{ type: 'apply', entries: [entry(1, 1, 'b')] }]),
    ],
    ['state-machine-safety', (scene) => scene.step(1, {}, [{ type: 'apply', entries: [entry(2, 1)] }])],
    ['durable-survives-restart', (scene) => scene.vote(1, 3, 2).start(1, { term: 2 })],
    [
      'durable-survives-restart',
      (scene) =>
        scene
          .step(1, {}, [persist(1, entry(1, 1))])
          .step(1, {}, [], { type: 'persisted', sequence: 1 })
          .start(1, {}, []),
    ],
    ['monotone-progress', (scene) => scene.step(1, { term: 3 }).step(1, { term: 2 })],
    ['monotone-progress', (scene) => scene.step(1, { vote: 2 }).step(1, { vote: 3 })],
    ['monotone-progress', (scene) => scene.step(1, { appliedIndex: 1 })],
    [
      'read-index',
      (scene) =>
        scene
          .step(2, {}, [persist(1, entry(1, 1))])
          .step(2, { commitIndex: 1 })
          .step(1, {}, [], { type: 'read', id: 7 })
          .step(1, {}, [{ type: 'readReady', id: 7, index: 0 }]),
    ],
  ])('%s', (name, play) => {
    expect(play(new Scene().all()).broken).toContain(name)
  })

  test('nothing in steps of one voter, into a joint configuration, and out of it', () => {
    const steps: Configuration[] = [
      { voters: [1, 2] },
      { voters: [1, 4, 5], outgoingVoters: [1, 2, 3] },
      { voters: [1, 2, 3], learners: [4] },
    ]
    for (const next of steps) {
      const scene = new Scene().all()
      expect([next, changing(scene, next, {}).broken]).toEqual([next, []])
    }
  })

  test('no loss where a write that was under way has overwritten what was durable', () => {
    const scene = new Scene().all().step(1, {}, [persist(1, entry(1, 1))])
    scene
      .step(1, {}, [], { type: 'persisted', sequence: 1 })
      .step(1, {}, [persist(2, entry(1, 2))])
      .start(1, {}, [2])
    expect(scene.broken).toEqual([])
  })
})

/** A log of puts, one a revision from 2 on, each committed at 10 times its index. */
function logOf(...puts: [string, string][]): CommittedLog {
  const log = new CommittedLog()
  for (const [i, [key, value]] of puts.entries()) {
    const then = [{ op: 'put' as const, key, value: bytesFromText(value) }]
    const stamp = { session: 0, sequence: 0, acknowledged: 0 }
    const data = encodeCommand({ ...stamp, type: 'txn', compare: [], then, else: [] })
    log.add(10 * (i + 1), [{ index: i + 1, term: 1, kind: 'command', data }])
  }
  return log
}

const write = (value: string, outcome: 'acknowledged' | 'none' | 'unknown', revision = 2): Answer => ({
  kind: 'write',
  client: 'c',
  calledAt: 0,
  returnedAt: 20,
  values: new Map([['k', value]]),
  outcome,
  ...(outcome === 'acknowledged' ? { revision } : {}),
})

describe('the invariants of clients find', () => {
  test.each<[string, Answer, CommittedLog, boolean]>([
    ['nothing in an acknowledged write that is there', write('a', 'acknowledged'), logOf(['k', 'a']), true],
    ['a lost write', write('b', 'acknowledged'), logOf(['k', 'a']), false],
    ['a wrong revision', write('a', 'acknowledged', 3), logOf(['k', 'a']), false],
    ['a failed write that happened', write('a', 'none'), logOf(['k', 'a']), false],
    ['a write that was applied twice', write('a', 'unknown'), logOf(['k', 'a'], ['k', 'a']), false],
  ])('%s', (_, answer, log, isRight) => {
    expect(checkAcknowledgedWrites([answer], log) === undefined).toBe(isRight)
  })

  test('reads of what never was, or not yet', () => {
    const log = logOf(['k', 'a'], ['k', 'b'])
    const [kv] = log.model.range({ key: 'k', revision: 2 }).kvs
    const read = (revision: number, returnedAt: number): Answer => ({
      kind: 'read',
      client: 'c',
      calledAt: 0,
      returnedAt,
      consistency: 'serializable',
      range: { key: 'k' },
      revision,
      kvs: kv === undefined ? [] : [kv],
    })
    expect(checkReadsShowPastStates([read(2, 15)], log)).toBeUndefined()
    expect(checkReadsShowPastStates([read(3, 25)], log)?.invariant).toBe('reads-past-states')
    expect(checkReadsShowPastStates([read(2, 5)], log)?.message).toContain(
      'before that revision was committed',
    )
  })

  test('revisions that go back in real time', () => {
    const answer = (calledAt: number, revision: number): Answer => ({
      kind: 'revision',
      client: 'c',
      calledAt,
      returnedAt: calledAt + 1,
      revision,
    })
    expect(checkRealTimeOrder([answer(0, 5), answer(1, 4)])).toBeUndefined()
    expect(checkRealTimeOrder([answer(0, 5), answer(2, 4)])?.invariant).toBe('real-time-order')
  })

  test('copies that go back, or differ from the log', () => {
    const look = (life: number, revision: number) => ({ node: 1, life, timeMs: 0, revision })
    expect(checkLocalReadsMonotone([look(1, 5), look(2, 3)])).toBeUndefined()
    expect(checkLocalReadsMonotone([look(1, 5), look(1, 3)])?.invariant).toBe('local-reads-monotone')
    const replicas = new ReplicasEqual(logOf(['k', 'a']))
    expect(replicas.checkApplied(1, 1, logOf(['k', 'a']).model)).toBeUndefined()
    expect(replicas.checkApplied(1, 1, new StoreModel())?.invariant).toBe('replicas-equal')
    expect(replicas.checkWhole(1, 1, logOf(['k', 'b']).model)?.invariant).toBe('replicas-equal')
  })

  test('leases that end early or not at all', () => {
    const log = new CommittedLog()
    const stamp = { session: 0, sequence: 0, acknowledged: 0 }
    const commands = [
      { ...stamp, type: 'grantLease', ttlMs: 500 } as const,
      { type: 'expireLeases', leases: [1] } as const,
    ]
    for (const [i, command] of commands.entries()) {
      log.add(i * 400, [{ index: i + 1, term: 1, kind: 'command', data: encodeCommand(command) }])
    }
    const granted = (sentAt: number) =>
      ({ type: 'granted', lease: 1, ttlMs: 500, sentAt, acknowledgedAt: sentAt }) as const
    expect(checkLeaseNeverEarly([granted(0)], log, 0.01)?.invariant).toBe('lease-never-early')
    expect(checkLeaseNeverEarly([granted(-200)], log, 0.01)).toBeUndefined()
    expect(checkLeasesEnded([{ lease: 1, ttlMs: 500, keys: [] }], [], 0)?.invariant).toBe('lease-ends')
    expect(checkLeasesEnded([], [{ key: 'k', lease: 1 }], 0)?.invariant).toBe('lease-ends')
  })

  test('two holders of a lock, and a write by a former one', () => {
    const tenure = (token: number, from: number, until: number) => ({
      lock: 'l',
      holder: `h${token}`,
      token,
      from,
      until,
    })
    expect(checkLockExclusive([tenure(1, 0, 5), tenure(2, 5, 9)])).toBeUndefined()
    expect(checkLockExclusive([tenure(1, 0, 6), tenure(2, 5, 9)])?.invariant).toBe('lock-exclusive')
    const guarded = new Map([['r', 'l']])
    expect(checkFencedWrites(guarded, logOf(['r', '1:a'], ['r', '2:b']))).toBeUndefined()
    expect(checkFencedWrites(guarded, logOf(['r', '2:a'], ['r', '1:b']))?.invariant).toBe('lock-exclusive')
  })
})
