import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { EntryKind } from '../protocols/raft/types.ts'
import { decodeEntry, encodedEntryBytes, encodeEntry, entryHeaderBytes } from './entry-codec.ts'

const entry = fc.record({
  index: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  term: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  kind: fc.constantFrom<EntryKind>('command', 'empty', 'configuration'),
  data: fc.uint8Array({ maxLength: 50 }),
})

test('an entry comes back as it was, its data as a view', () => {
  fc.assert(
    fc.property(entry, (original) => {
      const bytes = encodeEntry(original)
      expect(bytes.byteLength).toBe(encodedEntryBytes(original))
      const decoded = decodeEntry(bytes)
      expect({ ...decoded, data: Uint8Array.from(decoded.data) }).toEqual(original)
      expect(decoded.data.buffer).toBe(bytes.buffer)
    }),
  )
})

test('random bytes are an entry that encodes to the same bytes, or corrupt', () => {
  const noise = fc.tuple(fc.integer({ min: 0, max: 4 }), fc.uint8Array({ maxLength: 40 }))
  fc.assert(
    fc.property(noise, ([kind, rest]) => {
      const bytes = Uint8Array.from([kind, ...rest])
      try {
        expect(Buffer.from(encodeEntry(decodeEntry(bytes))).equals(bytes)).toBe(true)
      } catch (error) {
        expect(error).toMatchObject({ code: 'corrupt' })
      }
    }),
    { numRuns: 1000 },
  )
})

test('a number over 2^53-1, index 0, an unknown kind and a short entry are corrupt', () => {
  const whole = encodeEntry({ index: 1, term: 1, kind: 'empty', data: new Uint8Array(0) })
  const changed = (offset: number, value: number) => {
    const bytes = Uint8Array.from(whole)
    bytes[offset] = value
    return bytes
  }
  for (const bytes of [
    changed(7, 0x20),
    changed(1, 0),
    changed(0, 9),
    whole.subarray(0, entryHeaderBytes - 1),
  ]) {
    expect(() => decodeEntry(bytes)).toThrow(expect.objectContaining({ code: 'corrupt' }))
  }
})
