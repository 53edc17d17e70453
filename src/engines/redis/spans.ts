import type { ByteString } from '../../base/bytes.ts'
import type { KeyRange } from '../../contracts/store.ts'
import { bufferOf } from './command-args.ts'
import type { RedisArgument } from './library.ts'

/** Ranges that are named to the server; of more, everything is asked for, and looked through here. */
const spansMax = 64

/** How the server is told which keys are wanted: a single key and a prefix cost it nothing, another range a comparison of bytes. */
export function spanArgs(ranges: readonly KeyRange[]): RedisArgument[] {
  const spans = new Map<string, RedisArgument[]>()
  for (const range of ranges) spans.set(`${range.key}\u0100${range.end}`, spanOf(range))
  if (spans.size > spansMax) return ['1', '*']
  return [String(spans.size), ...[...spans.values()].flat()]
}

function spanOf({ key, end }: KeyRange): RedisArgument[] {
  if (end === undefined) return ['=', bufferOf(key)]
  if (end === null) return key === '' ? ['*'] : ['>', bufferOf(key)]
  return key !== '' && end === prefixEnd(key) ? ['^', bufferOf(key)] : ['<', bufferOf(key), bufferOf(end)]
}

/** The first key after all that begin with the prefix; `undefined` where there is none. */
function prefixEnd(prefix: ByteString): ByteString | undefined {
  for (let i = prefix.length - 1; i >= 0; i--) {
    const byte = prefix.charCodeAt(i)
    if (byte < 0xff) return prefix.slice(0, i) + String.fromCharCode(byte + 1)
  }
  return undefined
}
