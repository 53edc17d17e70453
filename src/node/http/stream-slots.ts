import { AlthingError } from '../../contracts/errors.ts'

/** Counts the event streams that are open, and refuses more than `max`. */
export class StreamSlots {
  readonly #max: number
  #open = 0

  constructor(max: number) {
    this.#max = max
  }

  get open(): number {
    return this.#open
  }

  /** Throws `overloaded`. The function returned frees the slot; it may be called more than once. */
  take(): () => void {
    if (this.#open >= this.#max)
      throw new AlthingError('overloaded', `${this.#max} event streams are open on this node`)
    this.#open += 1
    let isTaken = true
    return () => {
      if (isTaken) this.#open -= 1
      isTaken = false
    }
  }
}
