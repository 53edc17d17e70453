import { HistoryRecorder } from 'althing/testing/history'

/** Keys for which the clients of a window compete. */
const keysPerWindow = 8
const numberDigits = 8

/** A piece of the run that is judged by itself: its keys are used in no other, so that what is left open at its end cannot disturb the next. */
export interface Window {
  readonly number: number
  readonly keys: readonly string[]
  readonly history: HistoryRecorder
}

/** The course of windows, of which one is open at a time. */
export class Windows {
  readonly #prefix: string
  readonly #clock: ConstructorParameters<typeof HistoryRecorder>[0]
  readonly #busy = new Map<Window, number>()
  readonly #ended = new Map<Window, () => void>()
  #current: Window

  constructor(prefix: string, clock: ConstructorParameters<typeof HistoryRecorder>[0]) {
    this.#prefix = prefix
    this.#clock = clock
    this.#current = this.#create(1)
  }

  get current(): Window {
    return this.#current
  }

  /** Runs one act of a client in the window that is open now. */
  async act<T>(work: (window: Window) => Promise<T>): Promise<T> {
    const window = this.#current
    this.#busy.set(window, (this.#busy.get(window) ?? 0) + 1)
    try {
      return await work(window)
    } finally {
      const left = (this.#busy.get(window) ?? 1) - 1
      if (left > 0) this.#busy.set(window, left)
      else this.#busy.delete(window)
      if (left === 0) this.#ended.get(window)?.()
    }
  }

  /** Opens the next window. Resolves with the one before when all that was begun in it has ended. */
  async rotate(): Promise<Window> {
    const closed = this.#current
    this.#current = this.#create(closed.number + 1)
    if (this.#busy.has(closed)) await new Promise<void>((resolve) => this.#ended.set(closed, resolve))
    this.#ended.delete(closed)
    return closed
  }

  /** The range of all keys of windows up to this one. */
  rangeUpTo({ number }: Window): { readonly key: string; readonly end: string } {
    return { key: this.#prefix, end: this.#prefixOf(number + 1) }
  }

  #create(number: number): Window {
    const keys = Array.from({ length: keysPerWindow }, (_, i) => `${this.#prefixOf(number)}${i}`)
    return { number, keys, history: new HistoryRecorder(this.#clock) }
  }

  #prefixOf(number: number): string {
    return `${this.#prefix}${String(number).padStart(numberDigits, '0')}/`
  }
}
