const triesMax = 3_000

/**
 * The smallest input found that still fails in the same way: parts are left out, halves first, and then bytes made zero, until nothing more can
 * be (delta debugging: Zeller and Hildebrandt, 2002).
 */
export async function minimize(
  input: Buffer,
  fails: (candidate: Buffer) => Promise<boolean>,
): Promise<Buffer> {
  const search = new Search(input, fails)
  await search.removeParts()
  await search.clearBytes()
  return search.smallest
}

class Search {
  smallest: Buffer
  readonly #fails: (candidate: Buffer) => Promise<boolean>
  #triesLeft = triesMax

  constructor(input: Buffer, fails: (candidate: Buffer) => Promise<boolean>) {
    this.smallest = Buffer.from(input)
    this.#fails = fails
  }

  async removeParts(): Promise<void> {
    for (
      let size = Math.ceil(this.smallest.length / 2);
      size >= 1;
      size = size === 1 ? 0 : Math.ceil(size / 2)
    ) {
      for (let at = 0; at < this.smallest.length; ) {
        const without = [this.smallest.subarray(0, at), this.smallest.subarray(at + size)]
        if (!(await this.#try(Buffer.concat(without)))) at += size
      }
    }
  }

  async clearBytes(): Promise<void> {
    for (let at = 0; at < this.smallest.length; at++) {
      if (this.smallest[at] === 0) continue
      const cleared = Buffer.from(this.smallest)
      cleared[at] = 0
      await this.#try(cleared)
    }
  }

  async #try(candidate: Buffer): Promise<boolean> {
    if (this.#triesLeft <= 0) return false
    this.#triesLeft--
    if (!(await this.#fails(candidate))) return false
    this.smallest = candidate
    return true
  }
}
