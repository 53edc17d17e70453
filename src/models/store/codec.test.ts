import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { byteStringFromBytes } from '../../base/bytes.ts'
import { isAlthingError } from '../../contracts/errors.ts'
import type { Compare, KeyRange, Operation } from '../../contracts/store.ts'
import { decodeCommand, encodeCommand } from './codec.ts'
import type { StoreCommand } from './types.ts'

const uint = fc.oneof(fc.nat({ max: 300 }), fc.nat({ max: Number.MAX_SAFE_INTEGER }))
const positive = uint.map((value) => Math.max(1, value))
const value = fc.uint8Array({ maxLength: 40 })
const key = fc.uint8Array({ maxLength: 12 }).map(byteStringFromBytes)
const isTrue = fc.constant(true)
const keyRange: fc.Arbitrary<KeyRange> = fc.oneof(
  fc.record({ key }),
  fc.record({ key, end: fc.oneof(key, fc.constant(null)) }),
)
const rangeOptions = fc.record(
  {
    limit: uint,
    order: fc.constant('descending' as const),
    keysOnly: isTrue,
    countOnly: isTrue,
    revision: positive,
  },
  { requiredKeys: [] },
)
const op = fc.constantFrom('=', '!=', '<', '>')
const compare: fc.Arbitrary<Compare> = fc.oneof(
  fc.record({ target: fc.constant('value' as const), key, op, value }),
  fc.record({
    target: fc.constantFrom('version', 'createRevision', 'modRevision', 'lease'),
    key,
    op,
    value: uint,
  }),
) as fc.Arbitrary<Compare>
const lease = fc.oneof(positive, fc.constant('keep' as const))
const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc
    .tuple(keyRange, rangeOptions)
    .map(([range, options]) => ({ op: 'range' as const, ...range, ...options })),
  fc.record(
    { op: fc.constant('put' as const), key, value, lease, previous: isTrue },
    { requiredKeys: ['op', 'key', 'value'] },
  ),
  fc
    .tuple(keyRange, fc.boolean())
    .map(([range, previous]) => ({ op: 'delete' as const, ...range, ...(previous ? { previous } : {}) })),
)
const stamp = { session: uint, sequence: uint, acknowledged: uint }
const operations = fc.array(operation, { maxLength: 5 })
const command: fc.Arbitrary<StoreCommand> = fc.oneof(
  fc.record({
    ...stamp,
    type: fc.constant('txn' as const),
    compare: fc.array(compare, { maxLength: 4 }),
    then: operations,
    else: operations,
  }),
  fc.record({ ...stamp, type: fc.constant('grantLease' as const), ttlMs: uint }),
  fc.record({ ...stamp, type: fc.constant('revokeLease' as const), lease: uint }),
  fc.record({ ...stamp, type: fc.constant('compact' as const), revision: uint }),
  fc.record({ ...stamp, type: fc.constant('closeSession' as const) }),
  fc.record({ type: fc.constant('setQuota' as const), bytes: fc.maxSafeNat() }),
  fc.record({ type: fc.constant('checkpoint' as const) }),
  fc.record({ type: fc.constant('openSession' as const), ownerKey: fc.string({ unit: 'binary' }) }),
  fc.record({ type: fc.constant('expireLeases' as const), leases: fc.array(uint) }),
)

function plain(decoded: StoreCommand): unknown {
  return JSON.parse(JSON.stringify(decoded, (_, item) => (item instanceof Uint8Array ? [...item] : item)))
}

/** Decodes, and says whether it could; any other failure than `corrupt` goes through. */
function decoded(bytes: Uint8Array): StoreCommand | undefined {
  try {
    return decodeCommand(bytes)
  } catch (error) {
    if (isAlthingError(error, 'corrupt')) return undefined
    throw error
  }
}

describe('the form of a command in the log', () => {
  test('every command comes back as it went in', () => {
    fc.assert(
      fc.property(command, (original) => {
        expect(plain(decodeCommand(encodeCommand(original)))).toEqual(plain(original))
      }),
      { numRuns: 500 },
    )
  })

  test('a command that is cut short, or goes on, is corrupt', () => {
    fc.assert(
      fc.property(command, fc.nat(), (original, at) => {
        const bytes = encodeCommand(original)
        expect(decoded(bytes.subarray(0, at % bytes.length))).toBeUndefined()
        expect(decoded(Buffer.concat([bytes, new Uint8Array(1)]))).toBeUndefined()
      }),
    )
  })

  test('random bytes are corrupt, or are the one form of some command', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat({ max: 6 }), (tail, type) => {
        for (const bytes of [tail, Uint8Array.of(1, type, ...tail)]) {
          const found = decoded(bytes)
          if (found !== undefined) expect(decodeCommand(encodeCommand(found))).toEqual(found)
        }
      }),
      { numRuns: 2_000 },
    )
  })

  test('a valid command with some bytes changed is corrupt, or another command', () => {
    const change = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }))
    fc.assert(
      fc.property(command, fc.array(change, { minLength: 1, maxLength: 4 }), (original, changes) => {
        const bytes = Uint8Array.from(encodeCommand(original))
        for (const [at, byte] of changes) bytes[at % bytes.length] = byte
        const found = decoded(bytes)
        if (found !== undefined) expect(decodeCommand(encodeCommand(found))).toEqual(found)
      }),
      { numRuns: 2_000 },
    )
  })

  test('a count that promises more than there is allocates nothing', () => {
    const hugeCount = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]
    expect(() => decodeCommand(Uint8Array.of(1, 1, ...hugeCount))).toThrow(/ends too early/)
    expect(() => decodeCommand(Uint8Array.of(1, 0, ...hugeCount))).toThrow(/ends too early/)
    expect(() => decodeCommand(Uint8Array.of(1, 2, 0, 0, 0, ...hugeCount))).toThrow(/ends too early/)
  })

  test('another format is refused by name', () => {
    expect(() => decodeCommand(Uint8Array.of(9, 0, 0))).toThrow('has format 9, but this program reads 1')
  })
})
