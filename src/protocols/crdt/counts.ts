import type { CompactReader, CompactWriter } from '../../base/compact-bytes.ts'

/** What each replica has counted by itself; all > 0. */
export type Counts = ReadonlyMap<string, bigint>

/** Bits of one replica's count on the wire: far beyond what can be counted by ones. */
export const countBitsMax = 128
/** Bytes of UTF-8 aside, what a name may have. */
export const replicaCharsMax = 256

/** Takes the greater of each entry. Returns the entries of `into` that grew. */
export function mergeCounts(into: Map<string, bigint>, from: Counts): Map<string, bigint> {
  const grown = new Map<string, bigint>()
  for (const [replica, count] of from) {
    if (count <= (into.get(replica) ?? 0n)) continue
    into.set(replica, count)
    grown.set(replica, count)
  }
  return grown
}

export function sumOf(counts: Counts): bigint {
  let sum = 0n
  for (const count of counts.values()) sum += count
  return sum
}

export function writeCounts(writer: CompactWriter, counts: Counts): void {
  writer.unsigned(counts.size)
  for (const [replica, count] of [...counts].sort(([a], [b]) => (a < b ? -1 : 1)))
    writer.text(replica).unsigned(count)
}

/** Throws a `RangeError` for what {@link writeCounts} cannot have written. */
export function readCounts(reader: CompactReader): Counts {
  const counts = new Map<string, bigint>()
  let last = ''
  for (let left = reader.count(); left > 0; left--) {
    const replica = reader.text()
    const count = reader.unsigned(countBitsMax)
    if (replica <= last || replica.length > replicaCharsMax)
      throw new RangeError('the names of the replicas are not in order, or one is too long')
    if (count === 0n) throw new RangeError('an entry is empty')
    counts.set(replica, count)
    last = replica
  }
  return counts
}
