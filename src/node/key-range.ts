import { byteStringFromText, prefixEnd } from '../base/bytes.ts'
import type { KeyRange } from '../contracts/store.ts'

/** One key, given as text. */
export function keyRange(key: string): KeyRange {
  return { key: byteStringFromText(key) }
}

/** All keys that start with `prefix`, from `from` on (included) when that is given. */
export function prefixKeyRange(prefix: string, from?: string): KeyRange {
  const start = byteStringFromText(prefix)
  const first = from === undefined ? start : byteStringFromText(from)
  return { key: first > start ? first : start, end: prefixEnd(start) ?? null }
}
