import { describe, expect, test } from 'vitest'
import { bytesFromText } from '../../base/bytes.ts'
import { AlthingError } from '../../contracts/errors.ts'
import type { KeyValue, WatchEvent } from '../../contracts/store.ts'
import {
  currentKey,
  emptyVersion,
  encodeRecord,
  globalScope,
} from '../../coordination/config/config-record.ts'
import { barrierRange } from '../../coordination/primitives/barriers.ts'
import { nodeKey } from '../../coordination/tree/tree-path.ts'
import type { TreeChange } from '../../coordination/tree/tree-types.ts'
import { EventLog } from '../checkers/event-log.ts'
import { checkBarrierGenerations, type ObservedPassage } from './barrier-generations.ts'
import { checkConfigVersions, type SeenConfig } from './config-versions.ts'
import { checkLossNamesItsCause, type Stall } from './loss-names-its-cause.ts'
import { checkTreeMulti } from './tree-multi.ts'
import { checkTreeNumbers } from './tree-numbers.ts'
import { checkFiredWatches, checkFollowedTrees } from './tree-watches.ts'

/** What a test writes down of the store's own history: the changes of each revision, from 1 on. */
class History {
  readonly #kvs = new Map<string, KeyValue>()
  readonly #revisions: { revision: number; events: WatchEvent[] }[] = []

  put(...entries: readonly (readonly [key: string, value: string])[]): this {
    return this.#next((revision) =>
      entries.map(([key, text]) => this.#put(key, bytesFromText(text), revision)),
    )
  }

  putBytes(key: string, value: Uint8Array): this {
    return this.#next((revision) => [this.#put(key, value, revision)])
  }

  delete(key: string): this {
    this.#kvs.delete(key)
    return this.#next((revision) => [{ type: 'delete', key, modRevision: revision }])
  }

  get events(): EventLog {
    return new EventLog(this.#revisions)
  }

  #next(eventsOf: (revision: number) => WatchEvent[]): this {
    const revision = this.#revisions.length + 1
    this.#revisions.push({ revision, events: eventsOf(revision) })
    return this
  }

  #put(key: string, value: Uint8Array, revision: number): WatchEvent {
    const former = this.#kvs.get(key)
    const createRevision = former?.createRevision ?? revision
    const version = (former?.version ?? 0) + 1
    const kv = { key, value, createRevision, modRevision: revision, version, lease: 0 }
    this.#kvs.set(key, kv)
    return { type: 'put', kv }
  }
}

describe('of barriers', () => {
  const range = barrierRange('b', true)
  const place = (name: string): string => range.key + name
  const waits = JSON.stringify({ parties: 2 })
  const passes = (index: number): string => JSON.stringify({ parties: 2, index })
  const judge = (history: History, passages: readonly Partial<ObservedPassage>[] = []): string | undefined =>
    checkBarrierGenerations(
      { name: 'b', range, parties: 2, isDouble: true },
      passages.map((each) => ({
        ...{ user: 'u', barrier: 'b', generation: 3, index: 0, cameMs: 1, passedMs: 5 },
        ...each,
      })),
      history.events,
    )?.message
  const opened = (): History =>
    new History()
      .put([place('x'), waits])
      .put([place('y'), waits])
      .put([place('x'), passes(0)], [place('y'), passes(1)])

  test('finds nothing where two came, and passed together', () => {
    expect(judge(opened(), [{}, { user: 'v', index: 1, cameMs: 4, passedMs: 4 }])).toBeUndefined()
  })

  test('finds one that opens for fewer, for one that does not stand there, or for one that came later', () => {
    const one = new History().put([place('x'), waits]).put([place('x'), passes(0)])
    expect(judge(one)).toContain('for 1 parties')
    const dead = new History().put([place('x'), waits]).put([place('x'), passes(0)], [place('y'), passes(1)])
    expect(judge(dead)).toContain('for others')
    const late = new History()
      .put([place('x'), waits])
      .put([place('y'), waits])
      .put([place('z'), waits])
      .put([place('x'), passes(0)], [place('z'), passes(1)])
    expect(judge(late)).toContain('for others')
  })

  test('finds the next generation beside the former one', () => {
    const beside = opened()
      .delete(place('x'))
      .put([place('v'), waits])
      .put([place('w'), waits])
      .put([place('v'), passes(0)], [place('w'), passes(1)])
    expect(judge(beside)).toContain('had not left')
  })

  test('finds who passes with a generation that never was, as another did, or before one of it came', () => {
    expect(judge(opened(), [{ generation: 2 }])).toContain('never was')
    expect(judge(opened(), [{}, { user: 'v' }])).toContain('as did')
    expect(judge(opened(), [{}, { user: 'v', index: 1, cameMs: 6, passedMs: 7 }])).toContain('before v')
  })
})

describe('of trees', () => {
  const node = (path: string, text = ''): readonly [string, string] => [nodeKey(path), `\u0000${text}`]
  const both = (left: number, right: number): (readonly [string, string])[] => [
    node('/l', String(left)),
    node('/r', String(right)),
  ]

  test('finds a number that comes twice, though the node was deleted', () => {
    const once = new History().put(node('/q/n-0000000001')).put(node('/q/n-0000000002'))
    expect(checkTreeNumbers('/q', once.events)).toBeUndefined()
    const again = once.delete(nodeKey('/q/n-0000000002')).put(node('/q/m-0000000002'))
    expect(checkTreeNumbers('/q', again.events)?.message).toContain('number 2 was given at revision 4')
  })

  test('finds half a multi, and a count that was lost', () => {
    const whole = new History().put(...both(0, 0)).put(...both(1, 1))
    expect(checkTreeMulti(['/l', '/r'], whole.events)).toBeUndefined()
    expect(checkTreeMulti(['/l', '/r'], whole.put(node('/l', '2')).events)?.message).toContain('revision 3')
    const lost = new History()
      .put(...both(0, 0))
      .put(...both(1, 1))
      .put(...both(1, 1))
    expect(checkTreeMulti(['/l', '/r'], lost.events)?.message).toContain('must have 2')
  })

  test('finds a one-shot watch that missed the first change', () => {
    const { events } = new History().put(node('/l')).put(node('/l')).put(node('/l/c')).delete(nodeKey('/l'))
    const fired = (kind: 'data' | 'exist' | 'child', after: number, revision: number): string | undefined => {
      const event = { type: 'deleted', path: '/l', revision } as const
      return checkFiredWatches([{ watcher: 'w', path: '/l', kind, after, event }], events)?.message
    }
    expect(fired('data', 1, 2)).toBeUndefined()
    expect(fired('data', 2, 4)).toBeUndefined()
    expect(fired('child', 1, 3)).toBeUndefined()
    expect(fired('exist', 0, 2)).toContain('the first was 1')
    expect(fired('child', 1, 4)).toContain('the first was 3')
  })

  test('finds a change that a recursive watch left out, told twice, or in another order', () => {
    const { events } = new History().put(node('/l')).put(node('/l')).delete(nodeKey('/l')).put(node('/m'))
    const all: TreeChange[] = [
      { type: 'created', path: '/l', revision: 1 },
      { type: 'data-changed', path: '/l', revision: 2 },
      { type: 'deleted', path: '/l', revision: 3 },
    ]
    const told = (after: number, changes: readonly (TreeChange | undefined)[]): string | undefined =>
      checkFollowedTrees(
        [{ follower: 'f', after, changes: changes.filter((each) => each !== undefined) }],
        events,
      )?.message
    expect(told(0, all)).toBeUndefined()
    expect(told(2, [all[2]])).toBeUndefined()
    expect(told(0, [all[0], { type: 'resync', revision: 2 }, all[2]])).toBeUndefined()
    expect(told(0, [all[0], all[2]])).toContain('data-changed at revision 2 came next')
    expect(told(0, [all[0], all[0]])).toContain('created at revision 1')
    expect(told(1, [all[2], all[1]])).toContain('came next')
  })
})

describe('of losses', () => {
  const stall = (kind: 'pause' | 'block', fromMs: number, untilMs: number): Stall => {
    return { process: 'p', kind, fromMs, untilMs }
  }
  const judge = (atMs: number, stalls: readonly Stall[]): string | undefined => {
    const reason = new AlthingError('lost', 'it is gone', {
      outcome: 'none',
      details: { cause: 'process-stopped' },
    })
    const loss = { user: 'u', process: 'p', what: 'a right', atMs, reason }
    return checkLossNamesItsCause([loss], { stalls, ttlMs: 800, maxStallMs: 30_000 })?.message
  }

  test('finds a stop that is blamed and was not, or was long ago', () => {
    expect(judge(20_000, [stall('pause', 18_000, 19_900)])).toBeUndefined()
    expect(judge(20_000, [stall('block', 18_000, 19_900)])).toContain('and it was not')
    expect(judge(20_000, [stall('pause', 11_000, 12_000), stall('block', 19_000, 20_000)])).toContain('not')
  })

  test('takes a stop for the cause when the loop has stood still ever since', () => {
    const row = [
      stall('pause', 11_060, 11_888),
      stall('block', 11_073, 18_189),
      stall('block', 17_321, 19_766),
    ]
    expect(judge(19_766, row)).toBeUndefined()
  })
})

describe('of configurations', () => {
  const record = (version: number, a: number): Uint8Array =>
    encodeRecord({
      lineage: 'x',
      latest: version,
      stable: {
        ...emptyVersion,
        version,
        values: { a: { value: a } },
        instances: { i: { own: { value: 9 } } },
      },
    })
  const history = new History()
    .putBytes(currentKey('s'), record(1, 10))
    .putBytes(currentKey('s'), record(2, 20))
    .putBytes(currentKey(globalScope), record(1, 5))
  const seen = (version: number, globalVersion: number, a: number, more = {}): SeenConfig => {
    const values = version === 0 ? { a } : { a, own: 9 }
    return { reader: 'r', service: 's', instance: 'i', version, globalVersion, values, ...more }
  }
  const judge = (...states: readonly SeenConfig[]): string | undefined =>
    checkConfigVersions(states, ({ a }) => Number(a ?? 0) < 20 || a === 20, history.events)?.message

  test('finds nothing where both layers are whole, and grow', () => {
    expect(
      judge(seen(1, 0, 10), seen(2, 0, 20), seen(2, 1, 20), seen(0, 1, 5, { reader: 'q' })),
    ).toBeUndefined()
  })

  test('finds what was never written, what is older than before, and what is older than at the opening', () => {
    expect(judge(seen(3, 0, 30))).toContain('never meant for it')
    expect(judge(seen(1, 0, 20))).toContain('and it is')
    expect(judge(seen(2, 0, 20), seen(1, 0, 10))).toContain('after 2')
    expect(judge(seen(2, 0, 20, { openedAt: { version: 2, globalVersion: 1 } }))).toContain('after 2 with 1')
  })

  test('finds what the schema forbids', () => {
    const strict = checkConfigVersions([seen(2, 0, 20)], ({ a }) => a !== 20, history.events)
    expect(strict?.message).toContain('forbids')
  })
})
