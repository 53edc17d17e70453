import xxhash from 'xxhash-wasm'

/** A text to an integer in 0..2^32-1, the same in every process and version. */
export type KeyHash = (text: string) => number

/**
 * XXH32 with seed 0 of the text's UTF-8 (xxHash specification, 0.1.1). Asynchronous only because the WebAssembly module is
 * compiled first; the function itself is synchronous.
 */
export async function createKeyHash(): Promise<KeyHash> {
  const { h32 } = await xxhash()
  return (text) => h32(text)
}
