import { strict as check } from 'node:assert'
import type { Compare, Operation, OperationReply, TxnReply } from '../../../contracts/store.ts'
import type { CaseDefinition } from '../conformance-case.ts'
import { refused, refusedChange } from '../refusals.ts'
import type { Scene } from '../scene.ts'

/** A reply in words: `[a=1 b=2] of 2`, `put after a=1`, `deleted 2 (a=1 b=2)`. */
function shown(scene: Scene, reply: OperationReply): string {
  const list = (kvs: readonly Parameters<Scene['plain']>[0][]): string =>
    kvs
      .map((kv) => scene.plain(kv))
      .map(({ key, value }) => `${key}=${value}`)
      .join(' ')
  if (reply.op === 'range') return `[${list(reply.kvs)}] of ${reply.count}${reply.more ? ', more' : ''}`
  if (reply.op === 'put') return reply.previous === undefined ? 'put' : `put after ${list([reply.previous])}`
  return `deleted ${reply.deleted}${reply.previous === undefined ? '' : ` (${list(reply.previous)})`}`
}

const allShown = (scene: Scene, { replies }: TxnReply): string[] =>
  replies.map((reply) => shown(scene, reply))

const exists = (scene: Scene, name: string): Compare => ({
  target: 'version',
  key: scene.key(name),
  op: '>',
  value: 0,
})

/** Branches, replies, and all or nothing. */
export const transactionCases: readonly CaseDefinition[] = [
  {
    name: 'takes one branch when all comparisons hold, and the other otherwise',
    async play(scene) {
      await scene.put('a', '1')
      const branches = { then: [scene.putting('then', '1')], else: [scene.putting('else', '1')] }
      const taken = async (...compare: Compare[]): Promise<string> => {
        const { succeeded } = await scene.store.txn({ compare, ...branches })
        const names = (await scene.list({ key: scene.key('e'), end: scene.key('u') })).map(({ key }) => key)
        await scene.txn(scene.deleting('then'), scene.deleting('else'))
        return `${succeeded} ${names.join(' ')}`
      }
      check.equal(await taken(), 'true then')
      check.equal(await taken(exists(scene, 'a')), 'true then')
      check.equal(await taken(exists(scene, 'b')), 'false else')
      check.equal(await taken(exists(scene, 'a'), exists(scene, 'b')), 'false else')
      check.equal(await taken(exists(scene, 'b'), exists(scene, 'a')), 'false else')
    },
  },
  {
    name: 'a branch that is not given does nothing',
    async play(scene) {
      const revision = await scene.put('a', '1')
      const compare = [exists(scene, 'missing')]
      const reply = await scene.store.txn({ compare, then: [scene.putting('a', '2')] })
      check.deepEqual([reply.succeeded, reply.revision, reply.replies.length], [false, revision, 0])
      const other = await scene.store.txn({ else: [scene.putting('a', '2')] })
      check.deepEqual([other.succeeded, other.revision, other.replies.length], [true, revision, 0])
    },
  },
  {
    name: 'answers each operation in its order, with what was asked of it',
    async play(scene) {
      await scene.txn(scene.putting('a', '1'), scene.putting('b', '2'), scene.putting('c', '3'))
      const reply = await scene.txn(
        { op: 'put', key: scene.key('a'), value: new Uint8Array([57]), previous: true },
        { op: 'put', key: scene.key('new'), value: new Uint8Array([57]), previous: true },
        scene.putting('plain', '1'),
        { op: 'delete', key: scene.key('b'), previous: true },
        { op: 'delete', key: scene.key('c') },
        { op: 'delete', key: scene.key('nothing'), previous: true },
        { op: 'range', ...scene.range, limit: 1 },
        { op: 'range', ...scene.range, countOnly: true },
        { op: 'range', key: scene.key('p'), end: null, order: 'descending', limit: 1, keysOnly: true },
      )
      check.deepEqual(allShown(scene, reply).slice(0, 8), [
        'put after a=1',
        'put',
        'put',
        'deleted 1 (b=2)',
        'deleted 1',
        'deleted 0 ()',
        '[a=9] of 3, more',
        '[] of 3',
      ])
      const before = reply.replies[0]
      check.ok(before?.op === 'put' && before.previous?.version === 1, 'the key as it was, with its version')
    },
  },
  {
    name: 'a read in a branch sees the operations before it, and none after it',
    async play(scene) {
      await scene.put('a', '1')
      const reply = await scene.txn(
        { op: 'range', ...scene.range },
        scene.putting('a', '2'),
        { op: 'range', ...scene.range },
        scene.putting('b', '3'),
        { op: 'range', ...scene.range },
        scene.deleting('c'),
      )
      check.deepEqual(
        allShown(scene, reply).filter((line) => line.startsWith('[')),
        ['[a=1] of 1', '[a=2] of 1', '[a=2 b=3] of 2'],
      )
      const between = reply.replies[2]
      const kv = between?.op === 'range' ? between.kvs[0] : undefined
      check.deepEqual([kv?.modRevision, kv?.version], [reply.revision, 2])
    },
  },
  {
    name: 'a read at a named revision in a branch sees no operation of the branch',
    async play(scene) {
      const revision = await scene.put('a', '1')
      const reply = await scene.txn(scene.putting('a', '2'), scene.putting('b', '2'), {
        op: 'range',
        ...scene.range,
        revision,
      })
      check.deepEqual(allShown(scene, reply).at(-1), '[a=1] of 1')
    },
  },
  {
    name: 'deletes a whole range at one revision, and returns what was in it',
    async play(scene) {
      await scene.txn(scene.putting('a', '1'), scene.putting('b', '2'), scene.putting('c', '3'))
      const reply = await scene.txn({
        op: 'delete',
        key: scene.key('a'),
        end: scene.key('c'),
        previous: true,
      })
      check.deepEqual(allShown(scene, reply), ['deleted 2 (a=1 b=2)'])
      check.deepEqual(
        (await scene.list()).map(({ key }) => key),
        ['c'],
      )
    },
  },
  {
    name: 'is applied as a whole or not at all',
    async play(scene) {
      const revision = await scene.put('a', '1')
      await scene.put('a', '2')
      const { revision: compacted } = await scene.txn(scene.putting('b', '1'))
      await scene.store.compact(compacted)
      const before = JSON.stringify(await scene.list())
      const bad: readonly [Operation, 'lease-not-found' | 'compacted' | 'future-revision'][] = [
        [scene.putting('z', '9', 2 ** 52 + 1), 'lease-not-found'],
        [{ op: 'range', ...scene.range, revision }, 'compacted'],
        [{ op: 'range', ...scene.range, revision: compacted + 1_000 }, 'future-revision'],
      ]
      for (const [operation, code] of bad) {
        const change = scene.txn(scene.putting('a', '3'), scene.deleting('b'), operation)
        await refusedChange(change, code, `a transaction with a part that fails with ${code}`)
        check.equal(JSON.stringify(await scene.list()), before, `nothing of it was done (${code})`)
      }
      check.equal(await scene.revision(), compacted)
    },
  },
  {
    name: 'a transaction that only reads is as linearizable as any, and may be asked to be serializable',
    async play(scene) {
      const revision = await scene.put('a', '1')
      const then: Operation[] = [{ op: 'range', ...scene.range }]
      const reply = await scene.store.txn({ compare: [exists(scene, 'a')], then })
      check.deepEqual(
        [reply.succeeded, reply.revision, allShown(scene, reply)],
        [true, revision, ['[a=1] of 1']],
      )
      await scene.store.txn({ then }, { consistency: 'serializable' })
      const writing = { then: [...then, scene.putting('a', '2')] }
      await refusedChange(
        scene.store.txn(writing, { consistency: 'serializable' }),
        'invalid-argument',
        'a serializable transaction that writes',
      )
      check.equal(await scene.valueOf('a'), '1')
    },
  },
  {
    name: 'a branch writes a key at most once, and the branch that is not taken too',
    async play(scene) {
      const revision = await scene.put('a', '1')
      const range: Operation = { op: 'delete', key: scene.key('a'), end: scene.key('c') }
      const twice: readonly (readonly Operation[])[] = [
        [scene.putting('a', '1'), scene.putting('a', '2')],
        [scene.putting('a', '1'), scene.deleting('a')],
        [scene.putting('b', '1'), range],
        [range, scene.putting('b', '1')],
        [range, { op: 'delete', key: scene.key('b'), end: scene.key('d') }],
        [range, { op: 'delete', key: scene.key('a'), end: null }],
      ]
      for (const [i, operations] of twice.entries()) {
        await refusedChange(scene.txn(...operations), 'invalid-argument', `pair ${i}`)
        const other = scene.store.txn({ then: [scene.putting('a', '2')], else: operations })
        await refusedChange(other, 'invalid-argument', `pair ${i} in the branch not taken`)
      }
      check.equal(await scene.revision(), revision, 'nothing was changed')
      const apart: Operation[] = [range, scene.putting('c', '1'), { op: 'range', ...scene.range }]
      await scene.store.txn({ then: apart, else: [scene.putting('a', '1'), scene.putting('c', '1')] })
      check.equal(await scene.revision(), revision + 1, 'ranges that only touch are two')
    },
  },
  {
    name: 'of many who compare and write at once, one wins each round',
    async play(scene) {
      const contenders = 8
      const rounds = 10
      const increment = async (): Promise<void> => {
        for (;;) {
          const kv = await scene.get('n')
          const { succeeded } = await scene.store.txn({
            compare: [{ target: 'modRevision', key: scene.key('n'), op: '=', value: kv?.modRevision ?? 0 }],
            then: [scene.putting('n', String(Number(kv?.value ?? 0) + 1))],
          })
          if (succeeded) return
        }
      }
      await Promise.all(
        Array.from({ length: contenders }, async () => {
          for (let round = 0; round < rounds; round++) await increment()
        }),
      )
      const kv = await scene.get('n')
      check.deepEqual([kv?.value, kv?.version], [String(contenders * rounds), contenders * rounds])
    },
  },
  {
    name: 'an older revision that is refused in a read is refused in a transaction that only reads',
    async play(scene) {
      const first = await scene.put('a', '1')
      const second = await scene.put('a', '2')
      await scene.store.compact(second)
      const at = (revision: number): Promise<TxnReply> => scene.txn({ op: 'range', ...scene.range, revision })
      await refused(at(first), 'compacted', 'a transaction that reads what was compacted')
      await refused(at(second + 1), 'future-revision', 'a transaction that reads the next revision')
      check.deepEqual(allShown(scene, await at(second)), ['[a=2] of 1'])
    },
  },
]
