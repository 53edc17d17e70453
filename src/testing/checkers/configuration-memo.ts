/** A configuration seen: which operations have their place, and the state. Words below `firstWord` are full; those from its end on are empty. */
interface Configuration<State> {
  readonly firstWord: number
  readonly words: Uint32Array
  readonly state: State
  readonly next: Configuration<State> | undefined
}

/** About what an entry costs beside its words, in words. */
const entryWords = 16

/**
 * The configurations that a search has been in, so that none is explored twice. Looked up by a hash, then compared exactly: a collision
 * of hashes never changes a verdict.
 */
export class ConfigurationMemo<State> {
  readonly #equal: (a: State, b: State) => boolean
  readonly #buckets = new Map<number, Configuration<State>>()
  #words = 0

  constructor(equal: (a: State, b: State) => boolean) {
    this.#equal = equal
  }

  /** Memory in use, in 32-bit words, about. */
  get words(): number {
    return this.#words
  }

  /**
   * Adds the configuration (`placed` is copied from `firstWord` to `endWord`; below all bits are set, above none) and returns true; or
   * returns false when it is there already.
   */
  add(hash: number, placed: Uint32Array, firstWord: number, endWord: number, state: State): boolean {
    const first = this.#buckets.get(hash)
    for (let entry = first; entry !== undefined; entry = entry.next) {
      if (samePlaced(entry, placed, firstWord, endWord) && this.#equal(entry.state, state)) return false
    }
    this.#buckets.set(hash, { firstWord, words: placed.slice(firstWord, endWord), state, next: first })
    this.#words += endWord - firstWord + entryWords
    return true
  }
}

function samePlaced(
  entry: Configuration<unknown>,
  placed: Uint32Array,
  firstWord: number,
  endWord: number,
): boolean {
  if (entry.firstWord !== firstWord || entry.words.length !== endWord - firstWord) return false
  for (let i = 0; i < entry.words.length; i++) if (entry.words[i] !== placed[firstWord + i]) return false
  return true
}
