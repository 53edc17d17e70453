import xxhash from 'xxhash-wasm'

/** A text to an integer in 0..2^32-1, the same in every process and version. */
export type KeyHash = (text: string) => number

// As signed 32-bit integers, which are what the multiplications work on.
const prime1 = 0x9e3779b1 | 0
const prime2 = 0x85ebca77 | 0
const prime3 = 0xc2b2ae3d | 0
const prime4 = 0x27d4eb2f | 0
const prime5 = 0x165667b1 | 0

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

/** XXH32 of an ASCII text; -1 for another, whose UTF-8 is not its characters. In one piece: calls in its loops cost half of its time. */
function shortHash(text: string): number {
  const { length } = text
  let at = 0
  let seen = 0
  let hash = prime5
  if (length >= 16) {
    if (!isAscii(text)) return -1
    hash = stripes(text)
    at = length & ~15
  }
  hash = (hash + length) | 0
  for (const end = length - 3; at < end; at += 4) {
    const a = text.charCodeAt(at)
    const b = text.charCodeAt(at + 1)
    const c = text.charCodeAt(at + 2)
    const d = text.charCodeAt(at + 3)
    seen |= a | b | c | d
    hash = (hash + Math.imul(a | (b << 8) | (c << 16) | (d << 24), prime3)) | 0
    hash = Math.imul((hash << 17) | (hash >>> 15), prime4)
  }
  for (; at < length; at++) {
    const a = text.charCodeAt(at)
    seen |= a
    hash = (hash + Math.imul(a, prime5)) | 0
    hash = Math.imul((hash << 11) | (hash >>> 21), prime1)
  }
  if (seen > 127) return -1
  hash = Math.imul(hash ^ (hash >>> 15), prime2)
  hash = Math.imul(hash ^ (hash >>> 13), prime3)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** What the whole blocks of 16 bytes come to. */
function stripes(text: string): number {
  let a = (prime1 + prime2) | 0
  let b = prime2
  let c = 0
  let d = -prime1 | 0
  for (let at = 0; at <= text.length - 16; at += 16) {
    a = round(a, word(text, at))
    b = round(b, word(text, at + 4))
    c = round(c, word(text, at + 8))
    d = round(d, word(text, at + 12))
  }
  return (rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18)) | 0
}

function isAscii(text: string): boolean {
  let seen = 0
  for (let i = 0; i < text.length; i++) seen |= text.charCodeAt(i)
  return seen <= 127
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
