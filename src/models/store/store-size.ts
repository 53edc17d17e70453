import type { KeyValue } from '../../contracts/store.ts'

/**
 * What the parts of a store count against its quota. A version is held while it is current, and as long as the history has the event that replaced it:
 *
 *     size = sum over the versions held of (key + value + 320)
 *          + 160 for each event of the history
 *          + 200 for each lease
 *
 * The constants are about what such an object takes in memory beside its bytes, measured with `npm run bench -- memory`. Sessions have bounds of their own
 * (`StoreModelLimits`) and do not count. The size follows from the state, so it is the same on all replicas that have applied the same entries.
 */
export const versionOverheadBytes = 320
export const eventOverheadBytes = 160
export const leaseBytes = 200

export function versionBytes(kv: KeyValue): number {
  return kv.key.length + kv.value.byteLength + versionOverheadBytes
}

/** What an event holds on to beyond the current versions: its own place, and the version that it replaced. */
export function eventBytes(previous: KeyValue | undefined): number {
  return eventOverheadBytes + (previous === undefined ? 0 : versionBytes(previous))
}
