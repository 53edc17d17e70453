import type { ByteString } from '../../base/bytes.ts'
import { AlthingError } from '../../contracts/errors.ts'
import type { KeyRange, LeaseStatus, Operation, WatchEvent } from '../../contracts/store.ts'
import type { StoreMutation } from './types.ts'

/**
 * Keys that begin with the byte 0x00 are the cluster's own: users and roles, the descriptors of groups, settings. Clients of a store never see them: ranges
 * are cut to begin behind them, and naming one is refused. The rule is the same in every group and on every built-in engine, so that a program
 * behaves alike on all of them.
 */
export const systemPrefix: ByteString = '\u0000'

export const accessPrefix: ByteString = '\u0000access/'
export const groupsPrefix: ByteString = '\u0000groups/'
export const settingsPrefix: ByteString = '\u0000settings/'

/** The first key that is not the cluster's own. */
export const clientKeysStart: ByteString = '\u0001'

export function isSystemKey(key: ByteString): boolean {
  return key.charCodeAt(0) === 0
}

/** Whether a change touches system keys: its events are ordered by key, and system keys come first. */
export function touchesSystemKeys(events: readonly WatchEvent[]): boolean {
  const first = events[0]
  return first !== undefined && isSystemKey(first.type === 'put' ? first.kv.key : first.key)
}

/** Throws `permission-denied`. */
export function assertClientKey(key: ByteString): void {
  if (isSystemKey(key)) throw systemKeyRefused()
}

/**
 * The part of a range that clients may see; the range itself where that is all of it. Throws `permission-denied` for a single key, or a range, that lies among
 * the system keys.
 */
export function clientRange<Range extends KeyRange>(range: Range): Range {
  const { key, end } = range
  if (key >= clientKeysStart) return range
  if (end === undefined) {
    assertClientKey(key)
    return range
  }
  // An empty range stays empty, and is no secret.
  if (end !== null && end <= key) return range
  if (end === null || end > clientKeysStart) return { ...range, key: clientKeysStart }
  throw systemKeyRefused()
}

/** The mutation as a client may make it; the same object where nothing had to be cut. Throws `permission-denied`. */
export function clientMutation<Mutation extends StoreMutation>(mutation: Mutation): Mutation {
  if (mutation.type !== 'txn') return mutation
  for (const { key } of mutation.compare) assertClientKey(key)
  const then = clientOperations(mutation.then)
  const otherwise = clientOperations(mutation.else)
  if (then === mutation.then && otherwise === mutation.else) return mutation
  return { ...mutation, then, else: otherwise }
}

/** The leases as clients see them: without the cluster's own keys. */
export function clientLeases(leases: readonly LeaseStatus[]): readonly LeaseStatus[] {
  if (!leases.some(({ keys }) => keys.some(isSystemKey))) return leases
  return leases.map((lease) => ({ ...lease, keys: lease.keys.filter((key) => !isSystemKey(key)) }))
}

function clientOperations(operations: readonly Operation[]): readonly Operation[] {
  let hasChanged = false
  const own = operations.map((operation): Operation => {
    if (operation.op === 'put') {
      assertClientKey(operation.key)
      return operation
    }
    const cut = clientRange(operation)
    if (cut !== operation) hasChanged = true
    return cut
  })
  return hasChanged ? own : operations
}

function systemKeyRefused(): AlthingError {
  return new AlthingError('permission-denied', "keys that begin with the byte 0x00 are the cluster's own", {
    outcome: 'none',
  })
}
