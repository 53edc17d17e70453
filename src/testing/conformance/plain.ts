import { type ByteString, byteStringFromBytes } from '../../base/bytes.ts'
import type { KeyValue, WatchEvent } from '../../contracts/store.ts'

/** A key-value as it is shown and compared: bytes as text, one character a byte, whatever class of array they came in. */
export interface PlainKeyValue {
  readonly key: ByteString
  readonly value: ByteString
  readonly createRevision: number
  readonly modRevision: number
  readonly version: number
  readonly lease: number
}

/** `prefix` is left out of keys that begin with it. */
export function plainKeyValue(kv: KeyValue, prefix: ByteString): PlainKeyValue {
  const { createRevision, modRevision, version, lease } = kv
  return {
    key: withoutPrefix(kv.key, prefix),
    value: byteStringFromBytes(kv.value),
    createRevision,
    modRevision,
    version,
    lease,
  }
}

export function withoutPrefix(key: ByteString, prefix: ByteString): ByteString {
  return key.startsWith(prefix) ? key.slice(prefix.length) : key
}

/** `put a=1 @7`, `delete a @8`: an event in a line. */
export function eventText(event: WatchEvent, prefix: ByteString): string {
  if (event.type === 'delete') return `delete ${withoutPrefix(event.key, prefix)} @${event.modRevision}`
  const { key, value, modRevision } = plainKeyValue(event.kv, prefix)
  return `put ${key}=${value} @${modRevision}`
}

/** One byte for each character. */
export function bytesOf(text: ByteString): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0))
}
