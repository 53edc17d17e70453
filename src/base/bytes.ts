/**
 * A byte string held as a JavaScript string: one character per byte, each in 0..255 (latin1). The order of two such
 * strings under `<` is the bytewise order of their bytes, so they serve as keys of ordered maps without decoding.
 */
export type ByteString = string

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const notAscii = /[^\u0000-\u007f]/

/** UTF-8 encodes `text`. An ASCII text is its own encoding, and is returned as it is. */
export function byteStringFromText(text: string): ByteString {
  return notAscii.test(text) ? byteStringFromBytes(encoder.encode(text)) : text
}

/** Decodes UTF-8. Throws a `TypeError` when the bytes are not valid UTF-8. */
export function textFromByteString(bytes: ByteString): string {
  return notAscii.test(bytes) ? decoder.decode(bytesFromByteString(bytes)) : bytes
}

export function byteStringFromBytes(bytes: Uint8Array): ByteString {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}

export function bytesFromByteString(bytes: ByteString): Uint8Array {
  return Buffer.from(bytes, 'latin1')
}

export function bytesFromText(text: string): Uint8Array {
  return encoder.encode(text)
}

/** Decodes UTF-8. Throws a `TypeError` when the bytes are not valid UTF-8. */
export function textFromBytes(bytes: Uint8Array): string {
  return decoder.decode(bytes)
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && compareBytes(a, b) === 0
}

export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b)
}

/**
 * The end of the half-open range of all keys that start with `prefix`: the smallest key greater than every one of them;
 * `undefined` when there is none (an empty prefix, or 0xff bytes only), which means "to the end of the key space".
 */
export function prefixEnd(prefix: ByteString): ByteString | undefined {
  for (let last = prefix.length - 1; last >= 0; last--) {
    const code = prefix.charCodeAt(last)
    if (code < 0xff) return prefix.slice(0, last) + String.fromCharCode(code + 1)
  }
  return undefined
}
