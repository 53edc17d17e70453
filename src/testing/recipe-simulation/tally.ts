import { isAlthingError } from '../../contracts/errors.ts'
import { InvariantViolation } from '../invariants/violation.ts'

/** What must be in a sum, and what may be, as far as those know who added to it. */
export class Tally {
  #sure = 0n
  #unknown = 0n
  #sureCount = 0
  #unknownCount = 0

  get sureCount(): number {
    return this.#sureCount
  }

  get unknownCount(): number {
    return this.#unknownCount
  }

  /** `call` adds `delta`; nothing when it returns false, or rejects with outcome none. */
  async add(delta: bigint, call: () => Promise<unknown>): Promise<void> {
    // Until it is known; and for ever when the process dies meanwhile.
    this.#unknown += delta
    try {
      const isMade = (await call()) !== false
      this.#unknown -= delta
      if (!isMade) return
      this.#sure += delta
      this.#sureCount++
    } catch (error) {
      if (isAlthingError(error) && error.outcome === 'none') this.#unknown -= delta
      else this.#unknownCount++
      throw error
    }
  }

  /** What was acknowledged is in the sum, what failed for sure is not. */
  judge(name: string, sum: bigint): InvariantViolation | undefined {
    if (sum >= this.#sure && sum <= this.#sure + this.#unknown) return undefined
    const what = `${this.#sure} were added, and perhaps ${this.#unknown} more, and the ${name} says ${sum}`
    return new InvariantViolation('counted-once', what)
  }
}
