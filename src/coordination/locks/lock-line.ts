import type { ByteString } from '../../base/bytes.ts'
import type { KeyValue } from '../../contracts/store.ts'
import type { Fence } from '../fencing.ts'
import { byCreation } from '../range-pages.ts'
import { type Line, isRemoval, type Standing } from './line.ts'
import { lockQueueRange } from './lock-entry.ts'
import type { LockMode } from './lock-types.ts'

/**
 * A reader's key is `NAME/r-ID`, a writer's `NAME/ID` with a hexadecimal id: all writers come before all readers in the order of keys, so a reader
 * reads and watches no reader, however many there are.
 */
const readerMark = 'r'

/** The line of a lock: strictly first come, first served; readers without a writer between them hold together. */
export function lockLine(name: string, mode: LockMode): Line {
  return mode === 'read' ? readerLine(name) : writerLine(name)
}

export function modeOfKey(key: ByteString): LockMode {
  return key.startsWith(`${readerMark}-`, key.lastIndexOf('/') + 1) ? 'read' : 'write'
}

/** The parties that hold, and those that wait, both in the order of their coming. */
export function lockParties(kvs: readonly KeyValue[]): {
  readonly holders: readonly KeyValue[]
  readonly waiters: readonly KeyValue[]
} {
  const line = byCreation(kvs)
  const firstWriter = line.findIndex(({ key }) => modeOfKey(key) === 'write')
  const holding = firstWriter === -1 ? line.length : Math.max(1, firstWriter)
  return { holders: line.slice(0, holding), waiters: line.slice(holding) }
}

function writerLine(name: string): Line {
  const range = lockQueueRange(name)
  return {
    name,
    what: `lock "${name}"`,
    reading: { ...range, keysOnly: true },
    keyOf: (id) => range.key + id,
    standing: (kvs, own) => behind(before(kvs, own)),
  }
}

function readerLine(name: string): Line {
  const range = lockQueueRange(name)
  const { key } = range
  return {
    name,
    what: `lock "${name}"`,
    reading: { key, end: key + readerMark, keysOnly: true },
    keyOf: (id) => `${key}${readerMark}-${id}`,
    crowd: {
      reading: { ...range, keysOnly: true },
      ahead: (kvs, own) => lockParties(before(kvs, own)).waiters.length + 1,
    },
    standing: (kvs, own) => behind(before(kvs, own)),
  }
}

/**
 * Behind the last of `parties`, who must all leave, and can do nothing else. It is the one that is watched: a release wakes one waiter. That the own key is there when it is
 * gone follows from the lease, which the queue looks at, unless somebody removes it by force, who is heard of as any holder hears of it.
 */
function behind(parties: readonly KeyValue[]): Standing {
  const last = parties.at(-1)
  if (last === undefined) return { waitsFor: undefined, ahead: 0, compare: [] }
  const { waiters } = lockParties(parties)
  return {
    waitsFor: { key: last.key, isOver: isRemoval, isLast: parties.length === 1 },
    ahead: waiters.length + 1,
    compare: [],
  }
}

function before(kvs: readonly KeyValue[], own: Fence): KeyValue[] {
  return byCreation(kvs.filter(({ createRevision }) => createRevision < own.token))
}
