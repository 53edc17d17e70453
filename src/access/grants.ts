import type { ByteString } from '../base/bytes.ts'
import type { KeyRange } from '../contracts/store.ts'

/**
 * What a role can allow. `read`, `write`: the keys of a range, and watching them. `lease`: granting, renewing, listing and (with `write` on their keys)
 * ending leases. `admin`: everything that concerns the cluster and not one key: members, groups, access control, compaction.
 */
export type Right = 'read' | 'write' | 'lease' | 'admin'

export const rights: readonly Right[] = ['read', 'write', 'lease', 'admin']

/** Rights on the keys of one range. `lease` and `admin` do not depend on the keys: any range carries them. */
export interface Grant extends KeyRange {
  readonly rights: readonly Right[]
  /** The group whose keys are meant: absent, the default store; `'*'`, every group; else its name. */
  readonly group?: string
}

/** Everything, everywhere: what the built-in role `root` grants. */
export const rootGrant: Grant = { rights, key: '', end: null, group: '*' }

interface Interval {
  readonly from: ByteString
  /** Not included; `null`: to the end of the key space. */
  readonly end: ByteString | null
}

/** The rights of one caller in one group: for each right the ranges granted, joined where they touch, so that a question is one search. */
export class RightSet {
  readonly #intervals: Readonly<Record<Right, readonly Interval[]>>

  /** `group` is absent for the default store. */
  constructor(grants: readonly Grant[], group?: string) {
    const own = grants.filter((grant) => grant.group === '*' || grant.group === group)
    const of = (right: Right): readonly Interval[] =>
      joined(own.filter((grant) => grant.rights.includes(right)).map(intervalOf))
    this.#intervals = { read: of('read'), write: of('write'), lease: of('lease'), admin: of('admin') }
  }

  /** Whether the right is granted anywhere. */
  has(right: Right): boolean {
    return this.#intervals[right].length > 0
  }

  /** Whether the right is granted on every key of the range. An empty range has no key to refuse. */
  covers(right: Right, range: KeyRange): boolean {
    const { from, end } = intervalOf(range)
    if (end !== null && end <= from) return true
    const intervals = this.#intervals[right]
    let low = 0
    let high = intervals.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((intervals[middle] as Interval).from <= from) low = middle + 1
      else high = middle
    }
    const candidate = intervals[low - 1]
    if (candidate === undefined) return false
    return candidate.end === null || (end !== null && end <= candidate.end)
  }
}

function intervalOf({ key, end }: KeyRange): Interval {
  return { from: key, end: end === undefined ? `${key}\u0000` : end }
}

/** In order, none empty, none touching another. */
function joined(intervals: readonly Interval[]): readonly Interval[] {
  const sorted = intervals
    .filter(({ from, end }) => end === null || from < end)
    .sort((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : 0))
  const result: Interval[] = []
  for (const next of sorted) {
    const last = result[result.length - 1]
    if (last === undefined || (last.end !== null && last.end < next.from)) result.push(next)
    else result[result.length - 1] = { from: last.from, end: later(last.end, next.end) }
  }
  return result
}

function later(a: ByteString | null, b: ByteString | null): ByteString | null {
  if (a === null || b === null) return null
  return a > b ? a : b
}
