import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { EntryKind, Message } from '../protocols/raft/types.ts'
import { decodeMessage, encodeMessage } from './message-codec.ts'

const whole = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
const bytes = fc.uint8Array({ maxLength: 40 })
const head = { from: whole, to: whole, term: whole }
const entries = fc
  .tuple(
    fc.integer({ min: 1, max: 2 ** 50 }),
    fc.array(
      fc.record({
        term: whole,
        kind: fc.constantFrom<EntryKind>('command', 'empty', 'configuration'),
        data: bytes,
      }),
      { maxLength: 4 },
    ),
  )
  .map(([first, list]) => list.map((entry, i) => ({ ...entry, index: first + i })))

const message: fc.Arbitrary<Message> = fc.oneof(
  fc.record({
    type: fc.constant('requestVote' as const),
    ...head,
    preVote: fc.boolean(),
    lastLogIndex: whole,
    lastLogTerm: whole,
    transfer: fc.boolean(),
  }),
  fc.record({
    type: fc.constant('requestVoteReply' as const),
    ...head,
    preVote: fc.boolean(),
    granted: fc.boolean(),
  }),
  fc.record({
    type: fc.constant('appendEntries' as const),
    ...head,
    prevLogIndex: whole,
    prevLogTerm: whole,
    entries,
    leaderCommit: whole,
    round: whole,
  }),
  fc.record({
    type: fc.constant('appendEntriesReply' as const),
    ...head,
    success: fc.boolean(),
    matchIndex: whole,
    rejectedIndex: whole,
    conflictTerm: whole,
    conflictIndex: whole,
    round: whole,
  }),
  fc.record({
    type: fc.constant('installSnapshot' as const),
    ...head,
    snapshot: fc.record({
      index: whole,
      term: whole,
      configuration: fc.record({ voters: fc.array(whole, { maxLength: 5 }) }),
    }),
    transferId: whole,
    offset: whole,
    data: bytes,
    done: fc.boolean(),
    round: whole,
  }),
  fc.record({
    type: fc.constant('installSnapshotReply' as const),
    ...head,
    transferId: whole,
    offset: whole,
    installed: fc.boolean(),
    index: whole,
    round: whole,
  }),
  fc.record({ type: fc.constant('timeoutNow' as const), ...head }),
  fc.record({ type: fc.constant('readIndex' as const), ...head, id: whole }),
  fc.record({ type: fc.constant('readIndexReply' as const), ...head, id: whole, index: whole }),
)

/** Buffers are byte arrays of another class. */
function plain(value: Message): unknown {
  return JSON.parse(
    JSON.stringify(value, (_, item: unknown) => (item instanceof Uint8Array ? Array.from(item) : item)),
    (_, item: unknown) =>
      typeof item === 'object' && item !== null && 'type' in item && item.type === 'Buffer' && 'data' in item
        ? item.data
        : item,
  )
}

test('every message comes back as it was', () => {
  fc.assert(
    fc.property(message, (original) => {
      expect(plain(decodeMessage(encodeMessage(original)))).toEqual(plain(original))
    }),
    { numRuns: 500 },
  )
})

test('random bytes are refused as corrupt', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (noise) => {
      expect(() => decodeMessage(noise)).toThrow(expect.objectContaining({ code: 'corrupt' }))
    }),
    { numRuns: 2_000 },
  )
})

test('a message with one byte changed, or cut short, is another message or corrupt', () => {
  fc.assert(
    fc.property(
      message,
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      fc.boolean(),
      (original, at, mask, isCut) => {
        const whole = Uint8Array.from(encodeMessage(original))
        const place = at % whole.length
        if (!isCut) whole[place] = (whole[place] as number) ^ mask
        try {
          const decoded = decodeMessage(isCut ? whole.subarray(0, place) : whole)
          expect(isCut).toBe(false)
          expect(plain(decodeMessage(encodeMessage(decoded)))).toEqual(plain(decoded))
        } catch (error) {
          expect(error).toMatchObject({ code: 'corrupt' })
        }
      },
    ),
    { numRuns: 2_000 },
  )
})

test('entries that are not consecutive are refused', () => {
  const entry = (index: number) => ({ index, term: 1, kind: 'empty' as const, data: new Uint8Array(0) })
  const frame = encodeMessage({
    type: 'appendEntries',
    from: 1,
    to: 2,
    term: 1,
    prevLogIndex: 0,
    prevLogTerm: 0,
    entries: [entry(1), entry(3)],
    leaderCommit: 0,
    round: 1,
  })
  expect(() => decodeMessage(frame)).toThrow(expect.objectContaining({ code: 'corrupt' }))
})
