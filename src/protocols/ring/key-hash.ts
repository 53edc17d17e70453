import xxhash from 'xxhash-wasm'

/** A text to an integer in 0..2^32-1, the same in every process and version. */
export type KeyHash = (text: string) => number

const prime1 = 0x9e3779b1
const prime2 = 0x85ebca77
const prime3 = 0xc2b2ae3d
const prime4 = 0x27d4eb2f
const prime5 = 0x165667b1

/** Longer texts are hashed faster in WebAssembly, in spite of the way there. */
const shortCharsMax = 96

/**
 * XXH32 with seed 0 of the text's UTF-8 (xxHash specification, 0.1.1). Asynchronous only because the WebAssembly module is
 * compiled first; the function itself is synchronous.
 */
export async function createKeyHash(): Promise<KeyHash> {
  const { h32 } = await xxhash()
  return (text) => {
    if (text.length > shortCharsMax) return h32(text)
    const hash = shortHash(text)
    return hash < 0 ? h32(text) : hash
  }
}

/** XXH32 of an ASCII text; -1 for another, whose UTF-8 is not its characters. */
function shortHash(text: string): number {
  const { length } = text
  let at = 0
  let seen = 0
  let hash = prime5
  if (length >= 16) {
    let a = (prime1 + prime2) | 0
    let b = prime2 | 0
    let c = 0
    let d = -prime1 | 0
    for (; at <= length - 16; at += 16) {
      const [e, f, g, h] = [word(text, at), word(text, at + 4), word(text, at + 8), word(text, at + 12)]
      a = round(a, e)
      b = round(b, f)
      c = round(c, g)
      d = round(d, h)
    }
    hash = (rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18)) | 0
  }
  hash = (hash + length) | 0
  for (; at <= length - 4; at += 4) {
    hash = Math.imul(rotate((hash + Math.imul(word(text, at), prime3)) | 0, 17), prime4)
  }
  for (; at < length; at++) {
    hash = Math.imul(rotate((hash + Math.imul(text.charCodeAt(at), prime5)) | 0, 11), prime1)
  }
  for (let i = 0; i < length; i++) seen |= text.charCodeAt(i)
  if (seen > 127) return -1
  hash = Math.imul(hash ^ (hash >>> 15), prime2)
  hash = Math.imul(hash ^ (hash >>> 13), prime3)
  return (hash ^ (hash >>> 16)) >>> 0
}

function word(text: string, at: number): number {
  return (
    text.charCodeAt(at) |
    (text.charCodeAt(at + 1) << 8) |
    (text.charCodeAt(at + 2) << 16) |
    (text.charCodeAt(at + 3) << 24)
  )
}

function round(accumulator: number, input: number): number {
  return Math.imul(rotate((accumulator + Math.imul(input, prime2)) | 0, 13), prime1)
}

function rotate(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by))
}
