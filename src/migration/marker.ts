import { bytesFromText, textFromBytes } from '../base/bytes.ts'
import { AlthingError } from '../contracts/errors.ts'
import type { ByteString } from '../base/bytes.ts'

/** Where a migration writes down what it has done, on both sides. It is moved with no other key. */
export const markerKey: ByteString = '\u0001althing/migration'
/** Written to again and again, so that the revision of the new store passes that of the old one. */
export const raiseKey: ByteString = '\u0001althing/migration-revision'

/** In the new store, while it is filled. Each transaction of a run names the one before it, so that none is applied twice, late, or for a run that another has followed. */
export interface TargetMarker {
  readonly role: 'target'
  /** Of the migration: the same on both sides, over all its runs. */
  readonly id: string
  readonly run: string
  readonly sequence: number
  /** `copy`: keys before `cursor` are those of `revision`. `follow`: all keys are. */
  readonly phase: 'copy' | 'follow'
  /** Of the old store. */
  readonly revision: number
  readonly cursor: ByteString
}

/** In the old store, from the start on. */
export interface SourceMarker {
  readonly role: 'source'
  readonly id: string
  /** `moved`: the new store has everything, and is to be used. */
  readonly state: 'moving' | 'moved'
}

export type Marker = TargetMarker | SourceMarker

export function encodeMarker(marker: Marker): Uint8Array {
  return bytesFromText(JSON.stringify(marker))
}

/** Throws `corrupt` for what no migration has written. */
export function decodeMarker(bytes: Uint8Array): Marker {
  try {
    const marker = JSON.parse(textFromBytes(bytes)) as Marker
    if (marker.role === 'source' || marker.role === 'target') return marker
  } catch {
    // Told below.
  }
  throw new AlthingError(
    'corrupt',
    `the key ${JSON.stringify(markerKey)} holds what no migration has written`,
  )
}
