import { strict as check } from 'node:assert'
import { prefixEnd } from '../../../base/bytes.ts'
import type { CaseDefinition } from '../conformance-case.ts'
import { bytesOf, plainKeyValue } from '../plain.ts'
import { refused } from '../refusals.ts'
import type { Scene } from '../scene.ts'

const names = (kvs: readonly { readonly key: string }[]): string => kvs.map(({ key }) => key).join(' ')

async function putAll(scene: Scene, keys: readonly string[]): Promise<number> {
  return (await scene.txn(...keys.map((key) => scene.putting(key, key.toUpperCase())))).revision
}

/** What is in a range, and how much of it is shown. */
export const readCases: readonly CaseDefinition[] = [
  {
    name: 'a range is key <= k < end, in the order of bytes',
    async play(scene) {
      const keys = ['a', 'a\u0000', 'a\u0001', 'aa', 'b', 'b\u007f', 'b\u0080', 'b\u00ff', 'c']
      await putAll(scene, keys.toReversed())
      check.deepEqual(
        (await scene.list()).map(({ key }) => key),
        keys,
      )
      check.equal(
        names(await scene.list({ key: scene.key('a\u0001'), end: scene.key('b\u0080') })),
        'a\u0001 aa b b\u007f',
      )
    },
  },
  {
    name: 'without an end it is the one key, or nothing',
    async play(scene) {
      await putAll(scene, ['a', 'ab', 'b'])
      const { kvs, count, more } = await scene.store.range({ key: scene.key('a') })
      check.equal(names(kvs.map((kv) => scene.plain(kv))), 'a')
      check.deepEqual([count, more], [1, false])
      const missing = await scene.store.range({ key: scene.key('aa') })
      check.deepEqual([missing.kvs.length, missing.count, missing.more], [0, 0, false])
    },
  },
  {
    name: 'with end null it goes to the end of the key space',
    async play(scene) {
      const last = `\u00ff\u00ff\u00ff${scene.prefix}`
      await scene.txn({ op: 'put', key: last, value: bytesOf('last') }, scene.putting('a', '1'))
      const { kvs } = await scene.store.range({ key: scene.prefix, end: null })
      const keys = kvs.map(({ key }) => key)
      await scene.txn({ op: 'delete', key: last })
      check.ok(keys.includes(scene.key('a')) && keys.includes(last), 'both keys are in the range')
      check.deepEqual(keys, [...keys].sort(), 'the keys are in order')
    },
  },
  {
    name: 'a range whose end is not after its key is empty',
    async play(scene) {
      await putAll(scene, ['a', 'b'])
      for (const end of ['a', 'b']) {
        const reply = await scene.store.range({ key: scene.key('b'), end: scene.key(end) })
        check.deepEqual([reply.kvs.length, reply.count, reply.more], [0, 0, false], `end ${end}`)
      }
    },
  },
  {
    name: 'a limit cuts the list and says so, and the count is that of the whole range',
    async play(scene) {
      await putAll(scene, ['a', 'b', 'c'])
      for (const [limit, expected, more] of [
        [0, 'a b c', false],
        [1, 'a', true],
        [2, 'a b', true],
        [3, 'a b c', false],
        [4, 'a b c', false],
      ] as const) {
        const reply = await scene.store.range({ ...scene.range, limit })
        const shown = names(reply.kvs.map((kv) => scene.plain(kv)))
        check.deepEqual([shown, reply.count, reply.more], [expected, 3, more], `limit ${limit}`)
      }
    },
  },
  {
    name: 'in descending order the limit counts from the end',
    async play(scene) {
      await putAll(scene, ['a', 'b', 'c'])
      check.equal(names(await scene.list({ order: 'descending' })), 'c b a')
      check.equal(names(await scene.list({ order: 'ascending' })), 'a b c')
      const { kvs, more } = await scene.store.range({ ...scene.range, order: 'descending', limit: 2 })
      check.deepEqual([names(kvs.map((kv) => scene.plain(kv))), more], ['c b', true])
    },
  },
  {
    name: 'keysOnly leaves the values out and nothing else',
    async play(scene) {
      await putAll(scene, ['a', 'b'])
      await scene.put('b', 'more')
      const whole = await scene.list()
      check.deepEqual(
        await scene.list({ keysOnly: true }),
        whole.map((kv) => ({ ...kv, value: '' })),
      )
    },
  },
  {
    name: 'countOnly fills the count only',
    async play(scene) {
      const revision = await putAll(scene, ['a', 'b', 'c'])
      const reply = await scene.store.range({ ...scene.range, countOnly: true })
      check.deepEqual([reply.kvs.length, reply.count, reply.revision], [0, 3, revision])
    },
  },
  {
    name: 'keys and values are any bytes, and a value may be empty',
    async play(scene) {
      const every = String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i))
      await scene.txn(
        scene.putting(every, every),
        scene.putting('empty', ''),
        scene.putting('zeros', '\u0000'.repeat(3)),
      )
      check.equal(await scene.valueOf(every), every)
      check.equal(await scene.valueOf('empty'), '')
      check.equal(await scene.valueOf('zeros'), '\u0000'.repeat(3))
    },
  },
  {
    name: 'what is read belongs to the caller, and so does what was put, once the call has returned',
    async play(scene) {
      const value = bytesOf('value')
      const put = scene.store.txn({ then: [{ op: 'put', key: scene.key('a'), value }] })
      value.fill(0)
      await put
      const first = await scene.store.range({ key: scene.key('a') })
      check.equal(plainKeyValue(first.kvs[0] as never, '').value, 'value')
      first.kvs[0]?.value.fill(0)
      check.equal(await scene.valueOf('a'), 'value')
    },
  },
  {
    name: 'a reply holds no more bytes than the bound, says what it cut, and can be read on from there',
    play: readInPages,
  },
  {
    name: 'a serializable read may be asked for, and shows the past or the present',
    async play(scene) {
      const first = await scene.put('a', '1')
      const second = await scene.put('a', '2')
      const { kvs } = await scene.store.range({ key: scene.key('a') }, { consistency: 'serializable' })
      const at = kvs[0]?.modRevision ?? 0
      check.ok([0, first, second].includes(at), `the key as it was at some time, not of revision ${at}`)
    },
  },
  {
    name: 'a read shows every write that was acknowledged to any client before it began',
    proves: 'linearizable',
    needs: ['clients'],
    async play(scene) {
      const writer = await scene.open()
      const readers = [await scene.open(), await scene.open()]
      for (let n = 0; n < 30; n++) {
        const then = [scene.putting('n', String(n))]
        const { revision } = await writer.txn({ then })
        for (const reader of readers) {
          const reply = await reader.range({ key: scene.key('n') })
          check.equal(reply.kvs[0]?.modRevision, revision, `write ${n} is seen`)
          check.ok(reply.revision >= revision, 'the reply is of that revision at least')
        }
      }
    },
  },
]

async function readInPages(scene: Scene): Promise<void> {
  const { rangeReplyBytesMax, valueBytesMax } = scene.limits
  const bytes = Math.min(valueBytesMax, 512 * 1024)
  const keys = Math.ceil(rangeReplyBytesMax / bytes) + 2
  const value = new Uint8Array(bytes).fill(7)
  const nameOf = (i: number): string => `k${String(i).padStart(6, '0')}`
  for (let i = 0; i < keys; i++) {
    await scene.txn({ op: 'put', key: scene.key(nameOf(i)), value })
  }
  const seen: string[] = []
  let { key, end } = scene.range
  for (let page = 1; ; page++) {
    const reply = await scene.store.range({ key, ...(end === undefined ? {} : { end }) })
    const total = reply.kvs.reduce((sum, kv) => sum + kv.value.byteLength, 0)
    check.ok(total <= rangeReplyBytesMax, `page ${page} has ${total} bytes of values`)
    check.ok(reply.kvs.length > 0, `page ${page} brings something`)
    check.equal(reply.count, keys - seen.length, 'the count is that of what is left')
    seen.push(...reply.kvs.map((kv) => scene.plain(kv).key))
    check.equal(reply.more, seen.length < keys, `whether there is more after page ${page}`)
    if (!reply.more) break
    key = `${reply.kvs.at(-1)?.key}\u0000`
    end = prefixEnd(scene.prefix) ?? null
  }
  check.deepEqual(
    seen,
    Array.from({ length: keys }, (_, i) => nameOf(i)),
  )
}

/** Reads of what was. */
export const olderReadCases: readonly CaseDefinition[] = [
  {
    name: 'a read at an older revision shows the keys exactly as they were',
    async play(scene) {
      const states: [revision: number, state: string][] = []
      const note = async (revision: number): Promise<void> => {
        states.push([revision, JSON.stringify(await scene.list())])
      }
      await note(await scene.put('a', '1'))
      await note(await scene.put('b', '1'))
      await note(await scene.put('a', '2'))
      await note(await scene.delete('a'))
      await note((await scene.txn(scene.putting('a', '3'), scene.deleting('b'))).revision)
      await note(await scene.put('a', '4', (await scene.grant()).lease))
      for (const [revision, state] of states) {
        check.equal(JSON.stringify(await scene.list({ revision })), state, `at revision ${revision}`)
      }
    },
  },
  {
    name: 'an older read keeps limit, order, count and the rest, and tells the newest revision',
    async play(scene) {
      const revision = await putAll(scene, ['a', 'b', 'c'])
      await scene.delete('b')
      const newest = await scene.put('d', '1')
      const reply = await scene.store.range({ ...scene.range, revision, limit: 2, order: 'descending' })
      const shown = names(reply.kvs.map((kv) => scene.plain(kv)))
      check.deepEqual([shown, reply.count, reply.more, reply.revision], ['c b', 3, true, newest])
      const counted = await scene.store.range({ ...scene.range, revision, countOnly: true })
      check.deepEqual([counted.kvs.length, counted.count], [0, 3])
      const keys = await scene.list({ revision, keysOnly: true })
      check.deepEqual(
        keys.map(({ key, value }) => key + value),
        ['a', 'b', 'c'],
      )
    },
  },
  {
    name: 'a revision that is not there yet is refused',
    async play(scene) {
      const revision = await scene.put('a', '1')
      check.equal((await scene.list({ revision })).length, 1)
      await refused(scene.list({ revision: revision + 1 }), 'future-revision', 'a read of the next revision')
    },
  },
  {
    name: 'after a compaction what is below it is refused, and everything from it on can be read',
    async play(scene) {
      const first = await scene.put('a', '1')
      await scene.put('old', '1')
      const second = await scene.put('a', '2')
      await scene.delete('old')
      const third = await scene.put('a', '3')
      const { compactRevision } = await scene.store.compact(second)
      check.equal(compactRevision, second)
      for (const revision of [first, second - 1]) {
        const error = await refused(scene.list({ revision }), 'compacted', `a read at ${revision}`)
        check.equal(error.details?.compactRevision, second, 'the error tells the oldest revision left')
      }
      check.equal(names(await scene.list({ revision: second })), 'a old')
      check.equal(names(await scene.list({ revision: third })), 'a')
      check.equal((await scene.list())[0]?.version, 3, 'what is current is untouched')
    },
  },
  {
    name: 'a compaction to an older revision, or the same again, changes nothing and tells which one holds',
    async play(scene) {
      await scene.put('a', '1')
      const revision = await scene.put('a', '2')
      check.deepEqual(await scene.store.compact(revision), { compactRevision: revision })
      check.deepEqual(await scene.store.compact(revision), { compactRevision: revision })
      check.deepEqual(await scene.store.compact(revision - 1), { compactRevision: revision })
      check.equal(await scene.revision(), revision)
    },
  },
]
