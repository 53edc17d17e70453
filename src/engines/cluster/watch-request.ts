import { byteStringFromBytes, bytesFromByteString } from '../../base/bytes.ts'
import type { WatchRequest } from '../../contracts/store.ts'
import { malformed } from './protocol.ts'

/** `[key, end, fromRevision, previous, progressMs]`: keys as bytes; `end` true for "to the end of the key space", null for a single key; 0 for what is absent. */
export function encodeWatchRequest(request: WatchRequest): unknown {
  const { key, end, fromRevision = 0, previous = false, progressMs = 0 } = request
  const endWire = end === undefined ? null : end === null ? true : bytesFromByteString(end)
  return [bytesFromByteString(key), endWire, fromRevision, previous, progressMs]
}

/** Throws `corrupt`. */
export function decodeWatchRequest(wire: unknown): WatchRequest {
  if (!Array.isArray(wire)) throw malformed('watch request')
  const [key, end, fromRevision, previous, progressMs] = wire as unknown[]
  const hasForm =
    key instanceof Uint8Array &&
    (end === null || end === true || end instanceof Uint8Array) &&
    isWhole(fromRevision) &&
    typeof previous === 'boolean' &&
    isWhole(progressMs)
  if (!hasForm) throw malformed('watch request')
  return {
    key: byteStringFromBytes(key),
    ...(end === null ? {} : { end: end === true ? null : byteStringFromBytes(end as Uint8Array) }),
    ...(fromRevision === 0 ? {} : { fromRevision: fromRevision as number }),
    previous,
    ...(progressMs === 0 ? {} : { progressMs: progressMs as number }),
  }
}

function isWhole(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
