import type { Entry } from '../../protocols/raft/types.ts'

/** The stamp and the first value of a command lie within; values are unique in theirs. */
const digestedBytes = 256

/** 32 bits (FNV-1a) over kind, length and the first bytes of an entry: enough to tell two entries of one place apart. */
export function digestEntry({ kind, data }: Entry): number {
  let hash = kind.length ^ data.byteLength
  const end = Math.min(data.byteLength, digestedBytes)
  for (let i = 0; i < end; i++) hash = Math.imul(hash ^ (data[i] as number), 0x01000193)
  return hash >>> 0
}
