import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { etcdRange } from './key-ranges.ts'
import type { EtcdTxnResponse } from './messages.ts'
import { etcdTxnRequest, txnReplyOf } from './txn-plan.ts'

const bytes = (length: number): Uint8Array => new Uint8Array(length)
const header = { revision: 9 }

/** What etcd takes a range to be, by its own rules (`mvcc`, `watch`): single keys, ranges, and all from a key on. */
function holds(
  { key, rangeEnd }: { readonly key: string; readonly rangeEnd: string },
  candidate: string,
): boolean {
  if (rangeEnd === '') return candidate === key
  return candidate >= key && (rangeEnd === '\u0000' || candidate < rangeEnd)
}

describe('a range', () => {
  test('holds for etcd the keys that it holds here, and never begins with an empty key', () => {
    const text = fc.string({ unit: fc.constantFrom('\u0000', '\u0001', 'a', '\u00ff'), maxLength: 3 })
    const key = text.filter((each) => each !== '')
    fc.assert(
      fc.property(
        text,
        fc.option(text, { nil: null }),
        fc.boolean(),
        key,
        (from, end, isSingle, candidate) => {
          const range = etcdRange(isSingle ? { key: from } : { key: from, end })
          expect(range.key).not.toBe('')
          const expected = isSingle
            ? candidate === from
            : candidate >= from && (end === null || candidate < end)
          expect(holds(range, candidate)).toBe(expected)
        },
      ),
      { numRuns: 2_000 },
    )
  })
})

describe('a transaction', () => {
  const txn = { type: 'txn', compare: [], then: [], else: [] } as const
  const compare = [{ target: 'version', key: 'k', op: '=', value: 0 }] as const

  test('of comparisons alone is made to read, unless any copy will do', () => {
    expect(etcdTxnRequest({ ...txn, compare }, false).success).toHaveLength(1)
    expect(etcdTxnRequest({ ...txn, compare }, true).success).toHaveLength(0)
    const padded: EtcdTxnResponse = {
      header,
      succeeded: true,
      responses: [
        {
          range: { header, kvs: [], more: false, count: 0 },
          put: undefined,
          delete: undefined,
          txn: undefined,
        },
      ],
    }
    expect(txnReplyOf({ ...txn, compare }, padded)).toEqual({ revision: 9, succeeded: true, replies: [] })
    const failed = { header, succeeded: false, responses: [] }
    expect(txnReplyOf({ ...txn, compare }, failed)).toEqual({ revision: 9, succeeded: false, replies: [] })
  })

  test('shares the room of a reply among its ranges', () => {
    const range = { op: 'range', key: 'a', end: 'b' } as const
    const kv = { key: 'a', createRevision: 1, modRevision: 1, version: 1, value: bytes(3 << 20), lease: 0 }
    const found = {
      range: { header, kvs: [kv, kv], more: false, count: 2 },
      put: undefined,
      delete: undefined,
      txn: undefined,
    }
    const reply = txnReplyOf(
      { ...txn, then: [range, range] },
      { header, succeeded: true, responses: [found, found] },
    )
    expect(
      reply.replies.map((each) => each.op === 'range' && [each.kvs.length, each.count, each.more]),
    ).toEqual([
      [2, 2, false],
      [0, 2, true],
    ])
  })

  test('whose answer is not one to it is a defect, with an unknown outcome', () => {
    const put = { op: 'put', key: 'k', value: bytes(1) } as const
    const nothing = { range: undefined, put: undefined, delete: undefined, txn: undefined }
    for (const responses of [[], [nothing], [nothing, nothing]]) {
      expect(() => txnReplyOf({ ...txn, then: [put] }, { header, succeeded: true, responses })).toThrow(
        expect.objectContaining({ code: 'internal', outcome: 'unknown' }),
      )
    }
    expect(() => txnReplyOf(txn, { header: undefined, succeeded: true, responses: [] })).toThrow('revision 0')
  })
})
