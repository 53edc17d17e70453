import { describe, expect, test } from 'vitest'
import type { Operation } from '../history/operation.ts'
import { checkLinearizability } from './linearizability.ts'
import { modelByName } from './models/by-name.ts'
import type { AnySequentialModel } from './sequential-model.ts'
import { fixedClock, numbered, op } from './test-histories.ts'

type Case = readonly [
  title: string,
  model: string,
  verdict: 'ok' | 'violation',
  operations: readonly Operation[],
]

const cases: readonly Case[] = [
  ['a read sees the newest write', 'register', 'ok', [op(0, 1, 'write', 1), op(2, 3, 'read', undefined, 1)]],
  [
    'a read beside a write may see either value',
    'register',
    'ok',
    [op(0, 9, 'write', 1), op(1, 2, 'read', undefined, null), op(3, 4, 'read', undefined, 1)],
  ],
  [
    'stale read',
    'register',
    'violation',
    [op(0, 1, 'write', 1), op(2, 3, 'write', 2), op(4, 5, 'read', undefined, 1)],
  ],
  [
    'reads that go back in time beside one write',
    'register',
    'violation',
    [op(0, 9, 'write', 1), op(1, 2, 'read', undefined, 1), op(3, 4, 'read', undefined, null)],
  ],
  ['a value from nowhere', 'register', 'violation', [op(0, 1, 'write', 1), op(2, 3, 'read', undefined, 7)]],
  ['a lost write', 'register', 'violation', [op(0, 1, 'write', 1), op(2, 3, 'read', undefined, null)]],
  [
    'split brain: two readers see two writes in two orders',
    'register',
    'violation',
    [
      op(0, 9, 'write', 1),
      op(0, 9, 'write', 2),
      op(10, 11, 'read', undefined, 1),
      op(12, 13, 'read', undefined, 2),
    ],
  ],
  [
    'a failed write that is seen',
    'register',
    'violation',
    [op(0, 1, 'write', 1, null, { outcome: 'fail' }), op(2, 3, 'read', undefined, 1)],
  ],
  [
    'one of two compare-and-sets succeeds',
    'cas-register',
    'ok',
    [op(0, 1, 'write', 0), op(2, 5, 'cas', [0, 1], true), op(2, 5, 'cas', [0, 2], false)],
  ],
  [
    'two compare-and-sets of the same value succeed',
    'cas-register',
    'violation',
    [op(0, 1, 'write', 0), op(2, 5, 'cas', [0, 1], true), op(2, 5, 'cas', [0, 2], true)],
  ],
  [
    'a compare-and-set fails although nothing stands against it',
    'cas-register',
    'violation',
    [op(0, 1, 'write', 0), op(2, 3, 'cas', { expected: 0, value: 1 }, false)],
  ],
  [
    'a deleted key is gone',
    'kv',
    'ok',
    [
      op(0, 1, 'put', 1, null, { key: 'a' }),
      op(2, 3, 'delete', undefined, true, { key: 'a' }),
      op(4, 5, 'get', undefined, null, { key: 'a' }),
    ],
  ],
  [
    'a deleted key comes back',
    'kv',
    'violation',
    [
      op(0, 1, 'put', 1, null, { key: 'a' }),
      op(2, 3, 'delete', undefined, true, { key: 'a' }),
      op(4, 5, 'get', undefined, 1, { key: 'a' }),
    ],
  ],
  [
    'a transaction is seen in part',
    'kv',
    'violation',
    [
      op(
        0,
        9,
        'txn',
        [
          ['put', 'a', 1],
          ['put', 'b', 1],
        ],
        [null, null],
      ),
      op(1, 2, 'get', undefined, 1, { key: 'a' }),
      op(3, 4, 'get', undefined, null, { key: 'b' }),
    ],
  ],
  [
    'revisions go back on one key',
    'versioned-kv',
    'violation',
    [
      op(0, 1, 'put', 'x', { revision: 5 }, { key: 'a' }),
      op(2, 3, 'put', 'y', { revision: 4 }, { key: 'a' }),
    ],
  ],
  [
    'revisions go back over two keys',
    'versioned-kv',
    'violation',
    [
      op(0, 1, 'put', 'x', { revision: 5 }, { key: 'a' }),
      op(2, 3, 'put', 'y', { revision: 4 }, { key: 'b' }),
    ],
  ],
  [
    'a revision is given twice',
    'versioned-kv',
    'violation',
    [
      op(0, 9, 'put', 'x', { revision: 5 }, { key: 'a' }),
      op(0, 9, 'put', 'y', { revision: 5 }, { key: 'b' }),
    ],
  ],
  [
    'a stale read that only the order of two keys gives away',
    'versioned-kv',
    'violation',
    [
      op(0, 99, 'put', 'x', { revision: 3 }, { key: 'a' }),
      op(1, 2, 'put', 'y', { revision: 4 }, { key: 'b' }),
      op(0, 1, 'put', 'w', { revision: 1 }, { key: 'a' }),
      op(5, 6, 'get', undefined, { value: 'w', modRevision: 1 }, { key: 'a' }),
    ],
  ],
  [
    'a compare-and-put on an old revision succeeds',
    'versioned-kv',
    'violation',
    [
      op(0, 1, 'put', 'x', { revision: 1 }, { key: 'a' }),
      op(2, 3, 'put', 'y', { revision: 2 }, { key: 'a' }),
      op(4, 5, 'cas', { expected: 1, value: 'z' }, { succeeded: true, revision: 3 }, { key: 'a' }),
    ],
  ],
  [
    'a lost answer leaves the revision open',
    'versioned-kv',
    'ok',
    [
      op(0, undefined, 'put', 'x', null, { key: 'a' }),
      op(2, 3, 'get', undefined, { value: 'x', modRevision: 7 }, { key: 'a' }),
    ],
  ],
  [
    'tokens grow from holder to holder',
    'lock',
    'ok',
    [
      op(0, 1, 'acquire', undefined, 1),
      op(2, 3, 'release', 1, true),
      op(4, 5, 'acquire', undefined, { token: 2 }),
    ],
  ],
  [
    'two hold one lock',
    'lock',
    'violation',
    [op(0, 1, 'acquire', undefined, 1), op(2, 3, 'acquire', undefined, 2)],
  ],
  [
    'a token is given again',
    'lock',
    'violation',
    [op(0, 1, 'acquire', undefined, 1), op(2, 3, 'release', 1, true), op(4, 5, 'acquire', undefined, 1)],
  ],
  [
    'an old holder releases the lock of another',
    'lock',
    'violation',
    [
      op(0, 1, 'acquire', undefined, 1),
      op(2, 3, 'expire', 1, true),
      op(4, 5, 'acquire', undefined, 2),
      op(6, 7, 'release', 1, true),
    ],
  ],
  [
    'a lost addition',
    'counter',
    'violation',
    [op(0, 1, 'add', 1), op(0, 1, 'add', 1), op(2, 3, 'read', undefined, 1)],
  ],
  [
    'an addition that counts twice',
    'counter',
    'violation',
    [op(0, 1, 'add', 1), op(2, 3, 'read', undefined, 2)],
  ],
  [
    'an addition of unknown outcome may count',
    'counter',
    'ok',
    [op(0, undefined, 'add', 1), op(2, 3, 'read', undefined, 1)],
  ],
  [
    'a lost element',
    'set',
    'violation',
    [op(0, 1, 'add', 1), op(2, 3, 'add', 2), op(4, 5, 'read', undefined, [2])],
  ],
  [
    'an element that was removed is found',
    'set',
    'violation',
    [op(0, 1, 'add', 1), op(2, 3, 'remove', 1, true), op(4, 5, 'contains', 1, true)],
  ],
  [
    'the order of elements in a read says nothing',
    'set',
    'ok',
    [op(0, 1, 'add', 1), op(2, 3, 'add', 2), op(4, 5, 'read', undefined, [2, 1])],
  ],
  [
    'taken in order',
    'queue',
    'ok',
    [
      op(0, 1, 'enqueue', 1),
      op(2, 3, 'enqueue', 2),
      op(4, 5, 'dequeue', undefined, 1),
      op(6, 7, 'dequeue', undefined, 2),
    ],
  ],
  [
    'taken out of order',
    'queue',
    'violation',
    [op(0, 1, 'enqueue', 1), op(2, 3, 'enqueue', 2), op(4, 5, 'dequeue', undefined, 2)],
  ],
  [
    'delivered twice',
    'queue',
    'violation',
    [op(0, 1, 'enqueue', 1), op(2, 9, 'dequeue', undefined, 1), op(2, 9, 'dequeue', undefined, 1)],
  ],
  [
    'said to be empty while it is not',
    'queue',
    'violation',
    [op(0, 1, 'enqueue', 1), op(2, 3, 'dequeue', undefined, null)],
  ],
]

test.each(cases)('%s (%s: %s)', (_title, model, verdict, operations) => {
  const result = checkLinearizability(modelByName(model) as AnySequentialModel, numbered(operations), {
    clock: fixedClock,
  })
  expect(result.verdict).toBe(verdict)
})

describe('a history that is not one of the model', () => {
  test.each([
    ['register', op(0, 1, 'cas', [1, 2], true)],
    ['cas-register', op(0, 1, 'cas', 5, true)],
    ['cas-register', op(0, 1, 'cas', [1, 2], 'yes')],
    ['kv', op(0, 1, 'txn', [['swap', 'a']], [null])],
    ['versioned-kv', op(0, 1, 'delete', undefined, {})],
    ['lock', op(0, 1, 'acquire', undefined, 'mine')],
    ['counter', op(0, 1, 'add', 1.5)],
    ['set', op(0, 1, 'read', undefined, 4)],
    ['queue', op(0, 1, 'enqueue', null)],
    ['kv', op(0, 1, 'constructor', 1)],
  ])('%s refuses it by name', (model, operation) => {
    const check = () =>
      checkLinearizability(modelByName(model) as AnySequentialModel, [operation], { clock: fixedClock })
    expect(check).toThrowError(
      expect.objectContaining({ code: 'invalid-argument', message: expect.stringContaining(operation.op) }),
    )
  })
})

test('ten thousand operations of twenty processes on twenty keys take few steps', () => {
  const history = interleavedHistory(10_000, 20, 20)
  const result = checkLinearizability(modelByName('register') as AnySequentialModel, history, {
    clock: fixedClock,
  })
  expect(result).toMatchObject({ verdict: 'ok', parts: 20 })
  expect(result.steps).toBeLessThan(200_000)
})

/** Each process is busy all the time; what it does takes effect in the middle of its interval. */
function interleavedHistory(count: number, processes: number, keys: number): Operation[] {
  const values = new Map<string, number>()
  return Array.from({ length: count }, (_, index) => {
    const key = `k${(index * 7) % keys}`
    const isWrite = (index * 2_654_435_761) % 5 < 2
    const middle = index * 10
    if (isWrite) values.set(key, index)
    const half = processes * 5 - 2
    const times = { calledAt: middle - half, returnedAt: middle + half }
    const more = { index, key, process: `p${index % processes}`, ...times }
    return isWrite
      ? op(0, 1, 'write', index, null, more)
      : op(0, 1, 'read', undefined, values.get(key) ?? null, more)
  })
}
