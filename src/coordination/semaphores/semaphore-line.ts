import { AlthingError, invalidArgument } from '../../contracts/errors.ts'
import type { Compare, KeyValue, WatchEvent } from '../../contracts/store.ts'
import type { Fence } from '../fencing.ts'
import type { Line, Standing } from '../locks/line.ts'
import { byCreation } from '../range-pages.ts'
import {
  decodeLimit,
  isLimitKey,
  type LimitEntry,
  limitKey,
  type PermitEntry,
  permitEntry,
  semaphoreRange,
} from './semaphore-entry.ts'

export interface SemaphoreParty {
  readonly kv: KeyValue
  readonly entry: PermitEntry
  readonly holds: boolean
}

/** A semaphore at one revision, as its keys tell. */
export interface SemaphoreState {
  /** In the order of their coming. */
  readonly parties: readonly SemaphoreParty[]
  /** What an operator has set. */
  readonly set: (LimitEntry & { readonly modRevision: number }) | undefined
  /** What is in force: the operator's, else what the first in line says. */
  readonly limit: number | undefined
}

/**
 * A party holds as soon as its permits and those of all before it, whether they hold or wait, are within the limit: strictly first come, first served, so no
 * request for many permits starves. What is before a party only becomes less, so a turn once come stays; only a limit that is lowered lets those hold on
 * that are over it, and they are marked (`heldSinceMs`) by who lowers it.
 */
export function semaphoreState(kvs: readonly KeyValue[]): SemaphoreState {
  const limitKv = kvs.find(({ key }) => isLimitKey(key))
  const entry = limitKv === undefined ? undefined : decodeLimit(limitKv.value)
  const set =
    limitKv === undefined || entry === undefined ? undefined : { ...entry, modRevision: limitKv.modRevision }
  const line = byCreation(kvs.filter(({ key }) => !isLimitKey(key))).map((kv) => ({
    kv,
    entry: permitEntry(kv),
  }))
  const limit = set?.limit ?? line[0]?.entry.limit
  let permits = 0
  const parties = line.map((party) => {
    permits += party.entry.permits
    return {
      ...party,
      holds: party.entry.heldSinceMs !== undefined || (limit !== undefined && permits <= limit),
    }
  })
  return { parties, set, limit }
}

/** The line of a semaphore for one who wants `permits`, and says that the limit is `stated`, if it says so. */
export function semaphoreLine(name: string, permits: number, stated: number | undefined): Line {
  const range = semaphoreRange(name)
  const what = `semaphore "${name}"`
  return {
    name,
    what,
    reading: range,
    keyOf: (id) => range.key + id,
    admit: (kvs, own) => {
      const { set, parties } = semaphoreState(kvs)
      const first = parties.find(({ kv }) => kv.createRevision < own.token)
      const theirs = first?.entry.limit
      if (set !== undefined || stated === undefined || theirs === undefined || theirs === stated) return
      throw limitsConflict(what, name, stated, theirs)
    },
    standing: (kvs, own) => {
      const state = semaphoreState(kvs)
      const limit = state.set?.limit ?? stated
      if (limit === undefined) throw noLimit(what, name)
      if (permits > limit)
        throw invalidArgument('permits', permits, `from 1 to ${limit}, the limit of ${what}`)
      return standingAt(state, own, permits, limit, name)
    },
  }
}

function standingAt(
  state: SemaphoreState,
  own: Fence,
  permits: number,
  limit: number,
  name: string,
): Standing {
  const before = state.parties.filter(({ kv }) => kv.createRevision < own.token)
  const compare: Compare = {
    target: 'modRevision',
    key: limitKey(name),
    op: '=',
    value: state.set?.modRevision ?? 0,
  }
  let taken = 0
  let lastWaiting: KeyValue | undefined
  let ahead = 1
  for (const { kv, entry } of before) {
    taken += entry.permits
    if (taken <= limit || entry.heldSinceMs !== undefined) continue
    lastWaiting = kv
    ahead += 1
  }
  if (taken + permits <= limit) {
    const holders = state.parties.filter(({ kv, holds }) => holds && kv.createRevision !== own.token)
    const live = [...holders.map(({ kv }) => kv.createRevision), own.token]
    return { waitsFor: undefined, ahead: 0, compare: [compare], live, limit }
  }
  // Behind another that waits, nothing but its turn or its leaving can matter. Who is first of those that wait looks at every change.
  const waitsFor =
    lastWaiting === undefined
      ? { ...semaphoreRange(name), isOver: mayMakeRoom }
      : { key: lastWaiting.key, isOver: () => true }
  return { waitsFor, ahead, compare: [compare] }
}

function mayMakeRoom(event: WatchEvent): boolean {
  return event.type === 'delete' || isLimitKey(event.kv.key)
}

function limitsConflict(what: string, name: string, stated: number, theirs: number): AlthingError {
  return new AlthingError(
    'conflict',
    `${what} is in use with a limit of ${theirs}, and this call says ${stated}: programs that share it must say the same, or leave it to ` +
      `setLimit("${name}", ...)`,
    { outcome: 'none', details: { name, limit: theirs, stated } },
  )
}

export function noLimit(what: string, name: string): AlthingError {
  return new AlthingError(
    'not-found',
    `${what} has no limit: say one (limit), or set it for all with setLimit("${name}", ...)`,
    { outcome: 'none', details: { name } },
  )
}
