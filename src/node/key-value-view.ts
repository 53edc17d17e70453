import { textFromByteString, textFromBytes } from '../base/bytes.ts'
import type { ByteString } from '../base/bytes.ts'
import type { KeyValue } from '../contracts/store.ts'

/** A key and its value as JSON: text where the bytes are UTF-8, base64 where they are not. */
export interface KeyValueView {
  readonly key?: string
  /** Instead of `key`, when the key is not UTF-8. */
  readonly keyBase64?: string
  readonly value?: string
  /** Instead of `value`, when the value is not UTF-8. */
  readonly valueBase64?: string
  readonly createRevision: number
  readonly modRevision: number
  readonly version: number
  /** 0: none. */
  readonly lease: number
}

export function keyValueView(kv: KeyValue, withValue = true): KeyValueView {
  const { createRevision, modRevision, version, lease } = kv
  return {
    ...keyView(kv.key),
    ...(withValue ? valueView(kv.value) : {}),
    createRevision,
    modRevision,
    version,
    lease,
  }
}

export function keyView(key: ByteString): Pick<KeyValueView, 'key' | 'keyBase64'> {
  try {
    return { key: textFromByteString(key) }
  } catch {
    return { keyBase64: Buffer.from(key, 'latin1').toString('base64') }
  }
}

export function valueView(value: Uint8Array): Pick<KeyValueView, 'value' | 'valueBase64'> {
  try {
    return { value: textFromBytes(value) }
  } catch {
    return { valueBase64: Buffer.from(value).toString('base64') }
  }
}
