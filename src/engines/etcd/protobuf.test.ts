import { loadSync } from '@grpc/proto-loader'
import fc from 'fast-check'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { isAlthingError } from '../../contracts/errors.ts'
import * as messages from './messages.ts'
import { bool, bytes, choice, int, latin1, many, message, one, utf8, wideInt } from './protobuf.ts'

/** The same messages as another implementation of the format reads and writes them, from the text of their definition. */
const definition = loadSync(path.join(import.meta.dirname, 'testdata/etcd.proto'), {
  keepCase: false,
  enums: String,
  longs: String,
  defaults: true,
  arrays: true,
})

interface Codec {
  encode(value: unknown): Buffer
  decode(data: Buffer): unknown
}

function other(service: string, name: string, side: 'request' | 'response'): Codec {
  const methods = definition[`etcdserverpb.${service}`] as unknown as Record<string, Record<string, unknown>>
  const method = methods[name] ?? {}
  return {
    encode: method[`${side}Serialize`] as Codec['encode'],
    decode: method[`${side}Deserialize`] as Codec['decode'],
  }
}

const key = fc.string({
  unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
  maxLength: 20,
})
const value = fc.uint8Array({ maxLength: 300 })
const number = fc.oneof(fc.nat(300), fc.maxSafeNat())
const flag = fc.boolean()
const optional = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined })

const asBytes = (text: string): Buffer => Buffer.from(text, 'latin1')
const header = { revision: 7 }

const range = fc.record({
  key,
  rangeEnd: key,
  limit: number,
  revision: number,
  sortOrder: fc.constantFrom(0, 1, 2),
  serializable: flag,
  keysOnly: flag,
  countOnly: flag,
})
const put = fc.record({ key, value, lease: number, prevKv: flag, ignoreLease: flag })
const remove = fc.record({ key, rangeEnd: key, prevKv: flag })
const keyValue = fc.record({
  key,
  createRevision: number,
  modRevision: number,
  version: number,
  value,
  lease: number,
})

describe('messages', () => {
  test('are read by another implementation as they were meant', () => {
    const rangeRequest = other('KV', 'Range', 'request')
    const putRequest = other('KV', 'Put', 'request')
    const deleteRequest = other('KV', 'DeleteRange', 'request')
    const orders = ['NONE', 'ASCEND', 'DESCEND']
    fc.assert(
      fc.property(range, put, remove, (rangeOf, putOf, removeOf) => {
        expect(rangeRequest.decode(messages.methods.range.encode(rangeOf))).toEqual({
          ...rangeOf,
          key: asBytes(rangeOf.key),
          rangeEnd: asBytes(rangeOf.rangeEnd),
          limit: String(rangeOf.limit),
          revision: String(rangeOf.revision),
          sortOrder: orders[rangeOf.sortOrder],
        })
        expect(putRequest.decode(messages.methods.put.encode(putOf))).toEqual({
          ...putOf,
          key: asBytes(putOf.key),
          value: Buffer.from(putOf.value),
          lease: String(putOf.lease),
        })
        expect(deleteRequest.decode(messages.deleteRequest.encode(removeOf))).toEqual({
          ...removeOf,
          key: asBytes(removeOf.key),
          rangeEnd: asBytes(removeOf.rangeEnd),
        })
      }),
    )
  })

  test('of another implementation are read as they were meant', () => {
    const rangeResponse = other('KV', 'Range', 'response')
    const watchResponse = other('Watch', 'Watch', 'response')
    const event = fc.record({
      type: fc.constantFrom(0, 1),
      kv: optional(keyValue),
      prevKv: optional(keyValue),
    })
    const watch = fc.record({
      watchId: fc.constantFrom(-1, 0, 5),
      created: flag,
      canceled: flag,
      compactRevision: number,
      cancelReason: fc.string(),
      fragment: flag,
      events: fc.array(event, { maxLength: 4 }),
    })
    const encoded = (kv: { key: string } | undefined): object | undefined =>
      kv === undefined ? undefined : { ...kv, key: asBytes(kv.key) }
    fc.assert(
      fc.property(fc.array(keyValue, { maxLength: 4 }), flag, number, watch, (kvs, more, count, watched) => {
        const data = rangeResponse.encode({ header, kvs: kvs.map(encoded), more, count })
        expect(messages.methods.range.decode(data)).toEqual({ header, kvs, more, count })
        const events = watched.events.map((each) => ({
          type: each.type,
          kv: encoded(each.kv),
          prevKv: encoded(each.prevKv),
        }))
        expect(messages.methods.watch.decode(watchResponse.encode({ ...watched, header, events }))).toEqual({
          ...watched,
          header,
        })
      }),
    )
  })

  test('hold transactions in transactions, and choices that are zero', () => {
    const txnRequest = other('KV', 'Txn', 'request')
    const data = messages.methods.txn.encode({
      compare: [{ result: 1, target: 0, key: 'k', version: 0 }],
      success: [
        {
          txn: {
            compare: [{ result: 0, target: 3, key: 'k', value: new Uint8Array() }],
            success: [{ put: { key: 'k', value: new Uint8Array([1]), ignoreLease: true } }],
            failure: [],
          },
        },
      ],
      failure: [{ range: {} }],
    })
    expect(txnRequest.decode(data)).toMatchObject({
      compare: [{ result: 'GREATER', target: 'VERSION', version: '0' }],
      success: [
        {
          requestTxn: {
            compare: [{ target: 'VALUE', value: Buffer.alloc(0) }],
            success: [{ requestPut: { ignoreLease: true } }],
          },
        },
      ],
      failure: [{ requestRange: { key: Buffer.alloc(0) } }],
    })
  })

  test('write no zeros: an empty end of a range would be one without end to etcd', () => {
    expect(messages.rangeRequest.encode({ key: '', rangeEnd: '', limit: 0, countOnly: false })).toHaveLength(
      0,
    )
    expect(messages.watchRequest.encode({ progress: {} })).toEqual(Buffer.from([0x1a, 0]))
  })

  test('keep all bits of a wide number, and the sign of a narrow one', () => {
    const wide = message({ id: one(1, wideInt) })
    const narrow = message({ id: one(1, int) })
    for (const id of [0n, 1n, 127n, 128n, 2n ** 53n + 1n, 2n ** 63n - 1n]) {
      expect(wide.decode(wide.encode({ id }))).toEqual({ id })
      expect(narrow.decode(wide.encode({ id }))).toEqual({ id: Number(id) })
    }
    expect(narrow.decode(Buffer.from('08ffffffffffffffffff01', 'hex'))).toEqual({ id: -1 })
  })
})

describe('bytes from elsewhere', () => {
  const inner = message({ text: one(1, utf8), n: one(2, int) })
  const outer = message({
    flag: one(1, bool),
    key: one(2, latin1),
    data: one(3, bytes),
    inner: many(4, inner),
    chosen: choice(5, int),
    wide: one(6, wideInt),
  })

  test('are read, or refused as corrupt, whatever they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (data) => {
        try {
          outer.decode(data)
        } catch (error) {
          expect(isAlthingError(error, 'corrupt')).toBe(true)
        }
      }),
      { numRuns: 2_000 },
    )
  })

  test('that are cut anywhere are refused, or lack whole fields at the end', () => {
    const value = {
      flag: true,
      key: 'k\u00ff',
      data: new Uint8Array([1, 2, 3]),
      inner: [{ text: 'ä', n: 300 }],
      chosen: 0,
      wide: 5n,
    }
    const whole = outer.encode(value)
    expect(outer.decode(whole)).toEqual(value)
    for (let length = 0; length < whole.byteLength; length++) {
      try {
        expect(outer.decode(whole.subarray(0, length))).not.toEqual(value)
      } catch (error) {
        expect(isAlthingError(error, 'corrupt')).toBe(true)
      }
    }
  })

  test('in fields that are not known are passed over', () => {
    const more = message({
      key: one(2, latin1),
      a: one(20, utf8),
      b: one(21, int),
      c: one(22, message({ x: one(1, int) })),
    })
    const data = more.encode({ key: 'k', a: 'text', b: 2 ** 40, c: { x: 1 } })
    const fixed = Buffer.concat([
      data,
      Buffer.from('f1010102030405060708', 'hex'),
      Buffer.from('f50101020304', 'hex'),
    ])
    expect(message({ key: one(2, latin1) }).decode(fixed)).toEqual({ key: 'k' })
  })
})
