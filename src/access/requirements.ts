import type { ByteString } from '../base/bytes.ts'
import { AlthingError } from '../contracts/errors.ts'
import type { KeyRange, LeaseStatus, Operation } from '../contracts/store.ts'
import { assertClientKey } from '../models/store/system-keys.ts'
import type { StoreCommand } from '../models/store/types.ts'
import type { Right, RightSet } from './grants.ts'

/** The keys of a lease, as applied; undefined: there is no such lease. */
export type KeysOfLease = (lease: number) => readonly ByteString[] | undefined

/**
 * Whether a caller may have a command carried out. A transaction needs its rights for both branches, whichever will be taken, and `read` on what it
 * compares: else its answer would tell of keys that the caller may not read. Throws `permission-denied` with outcome none.
 */
export function authorizeCommand(rights: RightSet, command: StoreCommand, keysOfLease: KeysOfLease): void {
  switch (command.type) {
    case 'txn':
      for (const { key } of command.compare) needRange(rights, 'read', { key })
      for (const operation of command.then) authorizeOperation(rights, operation)
      for (const operation of command.else) authorizeOperation(rights, operation)
      return
    case 'grantLease':
      return needAny(rights, 'lease')
    case 'revokeLease':
      needAny(rights, 'lease')
      // It deletes them (etcd's rule).
      for (const key of keysOfLease(command.lease) ?? []) {
        assertClientKey(key)
        needRange(rights, 'write', { key })
      }
      return
    case 'compact':
      return needAny(rights, 'admin')
    case 'openSession':
    case 'closeSession':
      return
    case 'expireLeases':
      throw denied('only the cluster itself expires leases')
  }
}

/** A read, or a watch. Throws `permission-denied`. */
export function authorizeRead(rights: RightSet, range: KeyRange): void {
  needRange(rights, 'read', range)
}

/** Throws `permission-denied`. */
export function needAny(rights: RightSet, right: Right): void {
  if (!rights.has(right)) throw denied(`it needs the right '${right}'`)
}

/** The leases that a caller may list, each with the keys that it may read. Throws `permission-denied`. */
export function readableLeases(rights: RightSet, leases: readonly LeaseStatus[]): readonly LeaseStatus[] {
  needAny(rights, 'lease')
  const isReadable = (key: ByteString): boolean => rights.covers('read', { key })
  return leases.map((lease) =>
    lease.keys.every(isReadable) ? lease : { ...lease, keys: lease.keys.filter(isReadable) },
  )
}

function authorizeOperation(rights: RightSet, operation: Operation): void {
  if (operation.op === 'range') return needRange(rights, 'read', operation)
  const range = operation.op === 'put' ? { key: operation.key } : operation
  needRange(rights, 'write', range)
  if (operation.previous === true) needRange(rights, 'read', range)
}

function needRange(rights: RightSet, right: Right, range: KeyRange): void {
  if (!rights.covers(right, range)) throw denied(`it needs the right '${right}' on ${show(range)}`)
}

function denied(reason: string): AlthingError {
  return new AlthingError('permission-denied', `the caller may not do this: ${reason}`, { outcome: 'none' })
}

function show({ key, end }: KeyRange): string {
  const text = (bytes: ByteString): string =>
    JSON.stringify(bytes.length > 64 ? `${bytes.slice(0, 64)}...` : bytes)
  if (end === undefined) return `the key ${text(key)}`
  return end === null ? `all keys from ${text(key)} on` : `the keys from ${text(key)} to ${text(end)}`
}
