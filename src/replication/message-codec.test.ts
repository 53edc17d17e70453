import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Configuration, EntryKind, Message } from '../protocols/raft/types.ts'
import {
  decodeFrame,
  encodeFrame,
  encodeFrameVersion1,
  type GroupMessage,
  messageBytes,
  type PeerFrame,
} from './message-codec.ts'

const whole = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
const bytes = fc.uint8Array({ maxLength: 40 })
const [from, to] = [3, 4]
const head = { from: fc.constant(from), to: fc.constant(to), term: whole }
const member = fc.integer({ min: 1, max: 2 ** 50 })
const address = fc.string({ minLength: 1, maxLength: 20 })
const configuration: fc.Arbitrary<Configuration> = fc
  .uniqueArray(member, { minLength: 1, maxLength: 9 })
  .chain((ids) =>
    fc.record(
      {
        voters: fc.constant(ids.slice(0, Math.ceil(ids.length / 2))),
        outgoingVoters: fc.constant(ids.slice(0, 1)),
        learners: fc.uniqueArray(fc.integer({ min: 2 ** 51, max: 2 ** 52 }), { minLength: 1, maxLength: 3 }),
        addresses: fc.dictionary(member.map(String), address, { maxKeys: 4 }),
      },
      { requiredKeys: ['voters'] },
    ),
  )
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
      configuration,
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
function plain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_, item: unknown) => (item instanceof Uint8Array ? Array.from(item) : item)),
    (_, item: unknown) =>
      typeof item === 'object' && item !== null && 'type' in item && item.type === 'Buffer' && 'data' in item
        ? item.data
        : item,
  )
}

const groupMessage: fc.Arbitrary<GroupMessage> = fc.record({
  group: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
  message,
})
const frame: fc.Arbitrary<PeerFrame> = fc
  .array(groupMessage, { maxLength: 5 })
  .map((messages) => ({ from, to, messages }))

test('the messages of a frame come back as they were', () => {
  fc.assert(
    fc.property(frame, (original) => {
      expect(plain(decodeFrame(encodeFrame(original)))).toEqual(plain(original))
    }),
    { numRuns: 500 },
  )
})

test('in version 1 a message of group 1 comes back with its voters alone; what cannot be said in it is not', () => {
  fc.assert(
    fc.property(message, fc.constantFrom(1, 1, 2), (original, group) => {
      const bytes = encodeFrameVersion1({ group, message: original })
      const configuration =
        original.type === 'installSnapshot' ? original.snapshot.configuration : { voters: [] }
      const { voters, learners, outgoingVoters } = configuration
      const canBeSaid = group === 1 && learners === undefined && outgoingVoters === undefined
      expect(bytes !== undefined).toBe(canBeSaid)
      if (bytes === undefined) return
      const expected =
        original.type === 'installSnapshot'
          ? { ...original, snapshot: { ...original.snapshot, configuration: { voters } } }
          : original
      expect(plain(decodeFrame(bytes))).toEqual(
        plain({ from, to, messages: [{ group: 1, message: expected }] }),
      )
    }),
    { numRuns: 500 },
  )
})

test('a message is never larger than was reckoned', () => {
  fc.assert(
    fc.property(groupMessage, (item) => {
      const alone = encodeFrame({ from, to, messages: [item] }).byteLength
      expect(alone - encodeFrame({ from, to, messages: [] }).byteLength).toBeLessThanOrEqual(
        messageBytes(item.message),
      )
    }),
    { numRuns: 1_000 },
  )
})

test('random bytes are refused as corrupt', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (noise) => {
      expect(() => decodeFrame(noise)).toThrow(expect.objectContaining({ code: 'corrupt' }))
    }),
    { numRuns: 2_000 },
  )
})

test('a frame with one byte changed, or cut short, is another frame or corrupt', () => {
  fc.assert(
    fc.property(
      frame,
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      fc.boolean(),
      (original, at, mask, isCut) => {
        const whole = Uint8Array.from(encodeFrame(original))
        const place = at % whole.length
        if (!isCut) whole[place] = (whole[place] as number) ^ mask
        try {
          const decoded = decodeFrame(isCut ? whole.subarray(0, place) : whole)
          expect(isCut).toBe(false)
          expect(plain(decodeFrame(encodeFrame(decoded)))).toEqual(plain(decoded))
        } catch (error) {
          expect(error).toMatchObject({ code: 'corrupt' })
        }
      },
    ),
    { numRuns: 2_000 },
  )
})

test('entries that are not consecutive, and groups that cannot be, are refused', () => {
  const entry = (index: number) => ({ index, term: 1, kind: 'empty' as const, data: new Uint8Array(0) })
  const append = (group: number, indexes: readonly number[]): Uint8Array =>
    encodeFrame({
      from: 1,
      to: 2,
      messages: [
        {
          group,
          message: {
            type: 'appendEntries',
            from: 1,
            to: 2,
            term: 1,
            prevLogIndex: 0,
            prevLogTerm: 0,
            entries: indexes.map(entry),
            leaderCommit: 0,
            round: 1,
          },
        },
      ],
    })
  expect(decodeFrame(append(1, [1, 2])).messages.length).toBe(1)
  for (const frame of [append(1, [1, 3]), append(0, [1]), append(2 ** 32, [1])])
    expect(() => decodeFrame(frame)).toThrow(expect.objectContaining({ code: 'corrupt' }))
})
