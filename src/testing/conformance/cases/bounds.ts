import { strict as check } from 'node:assert'
import type { ByteString } from '../../../base/bytes.ts'
import type { Compare, Operation, RangeRequest, WatchRequest } from '../../../contracts/store.ts'
import type { CaseDefinition } from '../conformance-case.ts'
import { refused, refusedChange } from '../refusals.ts'
import type { Scene } from '../scene.ts'

/** A key of the case of exactly so many bytes. */
function keyOf(scene: Scene, bytes: number): ByteString {
  return scene.prefix.padEnd(bytes, 'x')
}

const put = (key: ByteString, value: Uint8Array): Operation => ({ op: 'put', key, value })
/** An argument that the types forbid. */
const wrong = (value: unknown): never => value as never

async function unchanged(scene: Scene, body: () => Promise<void>): Promise<void> {
  await scene.put('before', '1')
  const before = [await scene.revision(), JSON.stringify(await scene.list())]
  await body()
  check.deepEqual([await scene.revision(), JSON.stringify(await scene.list())], before, 'nothing was changed')
}

/** What is outside its bounds is refused before anything is changed, and what is just inside is not. */
export const boundCases: readonly CaseDefinition[] = [
  {
    name: 'keys: the longest is taken, a longer or an empty one is not',
    async play(scene) {
      const { keyBytesMax } = scene.limits
      const longest = keyOf(scene, keyBytesMax)
      const value = new Uint8Array(1)
      await scene.txn(put(longest, value))
      check.equal((await scene.store.range({ key: longest })).count, 1)
      await scene.txn({ op: 'delete', key: longest })
      await unchanged(scene, async () => {
        const longer = keyOf(scene, keyBytesMax + 1)
        await refusedChange(scene.txn(put(longer, value)), 'too-large', 'a put of a longer key')
        await refusedChange(scene.txn({ op: 'delete', key: longer }), 'too-large', 'its deletion')
        await refused(scene.store.range({ key: longer }), 'too-large', 'a read of it')
        await refused(scene.store.range({ key: 'a', end: longer }), 'too-large', 'a range to it')
        await refusedChange(scene.txn(put('', value)), 'invalid-argument', 'a put of the empty key')
      })
    },
  },
  {
    name: 'values: the largest is taken, a larger one is not',
    async play(scene) {
      const { valueBytesMax } = scene.limits
      await scene.txn(put(scene.key('a'), new Uint8Array(valueBytesMax).fill(1)))
      const { kvs } = await scene.store.range({ key: scene.key('a') })
      check.equal(kvs[0]?.value.byteLength, valueBytesMax)
      await scene.delete('a')
      await unchanged(scene, async () => {
        const larger = new Uint8Array(valueBytesMax + 1)
        await refusedChange(scene.txn(put(scene.key('a'), larger)), 'too-large', 'a put of a larger value')
        const compare: Compare[] = [{ target: 'value', key: scene.key('a'), op: '=', value: larger }]
        await refusedChange(scene.store.txn({ compare }), 'too-large', 'a comparison with a larger value')
      })
    },
  },
  {
    name: 'transactions: as many operations and comparisons as the bound, and no more',
    async play(scene) {
      const { txnOperationsMax } = scene.limits
      const puts = Array.from({ length: txnOperationsMax + 1 }, (_, i) => scene.putting(`k${i}`, '1'))
      const compares = puts.map((_, i): Compare => {
        return { target: 'version', key: scene.key(`k${i}`), op: '=', value: 0 }
      })
      const most = { then: puts.slice(1), else: puts.slice(1) }
      const reply = await scene.store.txn({ compare: compares.slice(1), ...most })
      check.deepEqual([reply.succeeded, reply.replies.length], [true, txnOperationsMax])
      await unchanged(scene, async () => {
        await refusedChange(scene.store.txn({ then: puts }), 'too-large', 'one operation more')
        await refusedChange(scene.store.txn({ else: puts }), 'too-large', 'one more in the other branch')
        await refusedChange(scene.store.txn({ compare: compares }), 'too-large', 'one comparison more')
      })
    },
  },
  {
    name: 'transactions: no more bytes than the bound in all',
    async play(scene) {
      const { txnBytesMax, valueBytesMax } = scene.limits
      const bytes = Math.min(valueBytesMax, Math.floor(txnBytesMax / 4))
      const puts = Array.from({ length: Math.floor(txnBytesMax / bytes) + 1 }, (_, i) =>
        put(scene.key(`k${i}`), new Uint8Array(bytes)),
      )
      await scene.txn(...puts.slice(0, -2))
      await scene.txn({ op: 'delete', ...scene.range })
      await unchanged(scene, async () => {
        await refusedChange(scene.txn(...puts), 'too-large', 'a transaction that is too large')
      })
    },
  },
  {
    name: 'keys and values that are none are refused',
    play: (scene) =>
      unchanged(scene, async () => {
        const value = new Uint8Array(1)
        for (const key of ['caf\u0119', wrong(5), wrong(undefined), wrong(null), wrong(value)]) {
          await refusedChange(scene.txn(put(key, value)), 'invalid-argument', `a put of the key ${key}`)
          await refused(scene.store.range({ key }), 'invalid-argument', `a read of the key ${key}`)
        }
        for (const bad of [wrong('text'), wrong(undefined), wrong([1, 2]), wrong(5)]) {
          await refusedChange(scene.txn(put(scene.key('a'), bad)), 'invalid-argument', `the value ${bad}`)
        }
      }),
  },
  {
    name: 'reads: limits, revisions and orders that are none are refused',
    play: (scene) =>
      unchanged(scene, async () => {
        const bad: Partial<RangeRequest>[] = [
          { limit: -1 },
          { limit: 1.5 },
          { limit: Number.NaN },
          { revision: 0 },
          { revision: -1 },
          { revision: 1.5 },
          { order: wrong('sideways') },
        ]
        for (const part of bad) {
          const request = { ...scene.range, ...part }
          const what = `a range with ${JSON.stringify(part)}`
          await refused(scene.store.range(request), 'invalid-argument', what)
          await refusedChange(scene.txn({ op: 'range', ...request }), 'invalid-argument', `${what} in a txn`)
        }
      }),
  },
  {
    name: 'transactions: comparisons and operations that are none are refused',
    play: (scene) =>
      unchanged(scene, async () => {
        const compare = { target: 'version', key: scene.key('a'), op: '=', value: 0 } as const
        const bad: unknown[] = [
          { ...compare, op: '>=' },
          { ...compare, target: 'size' },
          { ...compare, value: -1 },
          { ...compare, value: '1' },
          { ...compare, target: 'value', value: 'text' },
          null,
        ]
        for (const part of bad) {
          const what = `the comparison ${JSON.stringify(part)}`
          await refusedChange(scene.store.txn({ compare: [wrong(part)] }), 'invalid-argument', what)
        }
        for (const part of [null, { op: 'move', key: 'a' }, { ...scene.putting('a', '1'), lease: -1 }]) {
          const what = `the operation ${JSON.stringify(part)}`
          await refusedChange(scene.txn(wrong(part)), 'invalid-argument', what)
        }
        await refusedChange(
          scene.store.txn({ then: wrong('all') }),
          'invalid-argument',
          'a branch that is none',
        )
      }),
  },
  {
    name: 'leases: a time within the bounds is granted, another refused',
    async play(scene) {
      const { leaseTtlMsMin, leaseTtlMsMax } = scene.limits
      const step = scene.capabilities.leaseTtlStepMs ?? 1
      const longest = await scene.grant(leaseTtlMsMax)
      check.ok(longest.ttlMs >= leaseTtlMsMax && longest.ttlMs < leaseTtlMsMax + step, `${longest.ttlMs} ms`)
      const bad = [leaseTtlMsMin - 1, leaseTtlMsMax + 1, 0, -1, leaseTtlMsMin + 0.5, Number.NaN, wrong('1s')]
      for (const ttlMs of bad) {
        await refusedChange(scene.store.grantLease({ ttlMs }), 'invalid-argument', `a lease of ${ttlMs} ms`)
      }
    },
  },
  {
    name: 'leases: ids that are none are refused',
    async play(scene) {
      for (const lease of [0, -1, 1.5, 2 ** 53, wrong('1')]) {
        await refusedChange(scene.store.revokeLease(lease), 'invalid-argument', `the end of lease ${lease}`)
        await refused(scene.store.keepLeaseAlive(lease), 'invalid-argument', `a renewal of lease ${lease}`)
      }
    },
  },
  {
    name: 'leases: no more in one renewal than the bound',
    needs: ['bulk-renewal'],
    async play(scene) {
      const { renewalsMax } = scene.limits
      const { lease } = await scene.grant()
      const results = await scene.store.keepLeasesAlive?.(new Array<number>(renewalsMax).fill(lease))
      check.equal(results?.length, renewalsMax)
      const more = scene.store.keepLeasesAlive?.(new Array<number>(renewalsMax + 1).fill(lease))
      await refused(more ?? Promise.resolve(), 'too-large', 'one renewal more')
    },
  },
  {
    name: 'compaction: only to a revision that there is',
    async play(scene) {
      const revision = await scene.put('a', '1')
      for (const bad of [0, -1, 1.5, Number.NaN]) {
        await refusedChange(scene.store.compact(bad), 'invalid-argument', `a compaction to ${bad}`)
      }
      await refusedChange(scene.store.compact(revision + 1), 'future-revision', 'one to the next revision')
      check.equal((await scene.list({ revision })).length, 1)
    },
  },
  {
    name: 'watches: what cannot be watched ends the iteration with the reason, and does not throw before',
    async play(scene) {
      const bad: Partial<WatchRequest>[] = [
        { fromRevision: 0 },
        { fromRevision: 1.5 },
        { progressMs: 0 },
        { progressMs: Number.NaN },
        { key: 'caf\u0119' },
      ]
      for (const part of bad) {
        const watch = scene.watch(part)
        await watch.ended()
        const code = (watch.error as { code?: unknown } | undefined)?.code
        check.equal(code, 'invalid-argument', `a watch with ${JSON.stringify(part)} ends with the reason`)
        check.equal(watch.batches.length, 0)
      }
    },
  },
]
