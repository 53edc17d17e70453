import type { ByteString } from '../../base/bytes.ts'
import { AlthingError } from '../../contracts/errors.ts'
import type { KeyRange } from '../../contracts/store.ts'
import { rangeEnd } from '../../models/store/key-space.ts'
import { limits } from './server-settings.ts'

/** After every key there can be: so that every range has two bounds, which an index can be asked for. */
const afterAll: ByteString = '\u00ff'.repeat(limits.keyBytesMax + 1)

/** `from <= key < end`, whatever form the range had. */
export function boundsOf(range: KeyRange): { readonly from: ByteString; readonly end: ByteString } {
  return { from: range.key, end: rangeEnd(range) ?? afterAll }
}

export function bufferOf(bytes: ByteString): Buffer {
  return Buffer.from(bytes, 'latin1')
}

/** `too-large`, when a key is longer than this engine's index can hold. */
export function boundsProblem(range: KeyRange, field = 'watch'): AlthingError | undefined {
  const named = { key: range.key, end: range.end } as const
  for (const [name, bytes] of Object.entries(named)) {
    if (typeof bytes !== 'string' || bytes.length <= limits.keyBytesMax) continue
    return new AlthingError(
      'too-large',
      `${field}.${name} has ${bytes.length} bytes, but at most ${limits.keyBytesMax} are allowed here`,
      { outcome: 'none', details: { field: `${field}.${name}`, limit: limits.keyBytesMax } },
    )
  }
  return undefined
}
