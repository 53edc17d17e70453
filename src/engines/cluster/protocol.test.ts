import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AlthingError } from '../../contracts/errors.ts'
import type { KeyValue, WatchBatch } from '../../contracts/store.ts'
import { maxFrameBytes } from '../../contracts/world.ts'
import { decodeWatchBatch } from '../../models/store/wire.ts'
import { CommandStamps, type OutstandingStamp } from './command-stamps.ts'
import {
  decodeError,
  decodeHello,
  decodeReply,
  decodeRequest,
  decodeWelcome,
  encodeError,
  encodeHello,
  encodeReply,
  encodeRequest,
  encodeWelcome,
  methods,
} from './protocol.ts'
import { partsOf } from './watch-parts.ts'
import { decodeWatchRequest, encodeWatchRequest } from './watch-request.ts'

const whole = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
const decoders = [decodeHello, decodeWelcome, decodeRequest, decodeReply]

describe('frames of the protocol', () => {
  test('hello, welcome, request and reply come back as they were', () => {
    fc.assert(
      fc.property(fc.string(), whole, fc.array(fc.tuple(whole, fc.string())), (name, number, pairs) => {
        for (const kind of ['client', 'peer'] as const) {
          const hello = { kind, clusterId: name, from: number }
          expect(decodeHello(encodeHello(hello))).toEqual(hello)
        }
        const members = pairs.map(([id, address]) => ({ id, address }))
        const welcome = { clusterId: name, nodeId: number, members, leader: number }
        expect(decodeWelcome(encodeWelcome(welcome))).toEqual(welcome)
        expect(decodeReply(encodeReply(number, 2, [name, number]))).toEqual([number, 2, [name, number]])
        expect(
          decodeRequest(encodeRequest(number + 1 > number ? number || 1 : 1, methods.range, 12.5, 1, name)),
        ).toEqual({
          id: number || 1,
          method: methods.range,
          timeoutMs: 13,
          flags: 1,
          body: name,
        })
      }),
    )
  })

  test('a caller that waits for ever can say so', () => {
    const { timeoutMs } = decodeRequest(encodeRequest(1, methods.range, Number.POSITIVE_INFINITY, 0, null))
    expect(timeoutMs).toBe(2 ** 32 - 1)
  })

  test('random and damaged bytes are corrupt or of an incompatible peer, and nothing else', () => {
    const valid = [
      encodeHello({ kind: 'peer', clusterId: 'c', from: 2 }),
      encodeWelcome({ clusterId: 'c', nodeId: 1, members: [{ id: 1, address: 'a:1' }], leader: 1 }),
      encodeRequest(1, methods.mutate, 100, 0, new Uint8Array(9)),
      encodeReply(1, 0, ['x', 1]),
    ].map((frame) => Uint8Array.from(frame))
    const damaged = fc.tuple(fc.constantFrom(...valid), fc.nat(), fc.nat(255)).map(([frame, at, byte]) => {
      const copy = Uint8Array.from(frame)
      copy[at % copy.length] = byte
      return copy
    })
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 50 }), damaged), (frame) => {
        for (const decode of decoders) {
          try {
            decode(frame)
          } catch (error) {
            expect(['corrupt', 'incompatible-peer']).toContain((error as AlthingError).code)
          }
        }
      }),
      { numRuns: 3_000 },
    )
  })

  test('an error keeps code, outcome, retryability and details; what is no error is corrupt', () => {
    const error = new AlthingError('unavailable', 'no leader', { outcome: 'none', details: { leader: 3 } })
    expect(decodeError(encodeError(error)).toJSON()).toEqual(error.toJSON())
    for (const body of [null, 1, '{', '{}', '[]', new Uint8Array(3)])
      expect(decodeError(body)).toMatchObject({ code: 'corrupt' })
  })
})

describe('watch requests', () => {
  test('come back as they were', () => {
    const key = fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes).toString('latin1'))
    fc.assert(
      fc.property(
        key,
        fc.option(key),
        fc.boolean(),
        whole,
        whole,
        fc.boolean(),
        (from, end, isRange, rev, ms, previous) => {
          const request = {
            key: from,
            ...(isRange ? { end } : {}),
            ...(rev === 0 ? {} : { fromRevision: rev }),
            previous,
            ...(ms === 0 ? {} : { progressMs: ms }),
          }
          expect(decodeWatchRequest(encodeWatchRequest(request))).toEqual(request)
        },
      ),
    )
  })

  test('of another form are corrupt', () => {
    const bytes = new Uint8Array(1)
    for (const wire of [
      null,
      [],
      [bytes],
      ['k', null, 0, false, 0],
      [bytes, false, 0, false, 0],
      [bytes, null, -1, false, 0],
      [bytes, null, 0, 1, 0],
      [bytes, null, 0, false, 0.5],
    ])
      expect(() => decodeWatchRequest(wire)).toThrow(expect.objectContaining({ code: 'corrupt' }))
  })
})

describe('watch batches in parts', () => {
  const kv = (key: string, bytes: number): KeyValue => ({
    key,
    value: new Uint8Array(bytes),
    createRevision: 2,
    modRevision: 2,
    version: 1,
    lease: 0,
  })

  test('a batch of any size goes out in frames, in order, the last marked', () => {
    const megabyte = 1024 * 1024
    const batches: WatchBatch[] = [
      {
        kind: 'resync',
        fromRevision: 1,
        revision: 9,
        kvs: Array.from({ length: 40 }, (_, i) => kv(`${i}`, megabyte)),
      },
      {
        kind: 'events',
        revision: 9,
        events: Array.from({ length: 20 }, (_, i) => ({
          type: 'put' as const,
          kv: kv(`${i}`, megabyte),
          previous: kv(`${i}`, megabyte),
        })),
      },
      {
        kind: 'events',
        revision: 9,
        events: Array.from({ length: 300_000 }, (_, i) => ({
          type: 'delete' as const,
          key: `${i}`.padStart(80),
          modRevision: 9,
        })),
      },
    ]
    for (const batch of batches) {
      const parts = [...partsOf(batch)]
      expect(parts.map(([isLast]) => isLast)).toEqual(parts.map((_, i) => i === parts.length - 1))
      for (const part of parts) expect(encodeReply(1, 2, part).byteLength).toBeLessThan(maxFrameBytes)
      const joined = parts.flatMap(([, wire]): readonly unknown[] => {
        const part = decodeWatchBatch(wire)
        return part.kind === 'resync' ? part.kvs : part.kind === 'events' ? part.events : []
      })
      expect(joined.length).toBe(
        batch.kind === 'resync' ? batch.kvs.length : batch.kind === 'events' ? batch.events.length : 0,
      )
    }
  })

  test('small and empty ones are one part', () => {
    const small: WatchBatch[] = [
      { kind: 'created', revision: 1 },
      { kind: 'resync', fromRevision: 1, revision: 4, kvs: [] },
      { kind: 'events', revision: 3, events: [{ type: 'put', kv: kv('k', 3) }] },
    ]
    for (const batch of small) {
      const parts = [...partsOf(batch)]
      expect(parts.map(([isLast]) => isLast)).toEqual([true])
      expect(decodeWatchBatch(parts[0]?.[1])).toEqual(batch)
    }
  })
})

describe('command stamps', () => {
  test('acknowledge exactly what was settled without a gap', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(30), { maxLength: 60 }), (choices) => {
        const stamps = new CommandStamps(7)
        const open: OutstandingStamp[] = []
        const settled = new Set<number>()
        for (const choice of choices) {
          if (choice % 2 === 0 || open.length === 0) {
            const stamp = stamps.take()
            let gapless = 0
            while (settled.has(gapless + 1)) gapless++
            expect(stamp).toMatchObject({
              session: 7,
              sequence: settled.size + open.length + 1,
              acknowledged: gapless,
            })
            open.push(stamp)
          } else {
            const [stamp] = open.splice(choice % open.length, 1) as [OutstandingStamp]
            settled.add(stamp.sequence)
            stamps.settle(stamp)
            stamps.settle(stamp)
          }
          expect(stamps.outstanding).toBe(open.length)
        }
      }),
    )
  })
})
