import type { AlthingError } from '../../contracts/errors.ts'
import type { ElectedTerm } from './elector-types.ts'

export interface MachineTermParts {
  readonly node: string
  readonly term: number
  /** Whether no other can have been elected because of this node's silence. */
  isCurrent(): boolean
  resign(): void
}

export class MachineTerm implements ElectedTerm {
  readonly #parts: MachineTermParts
  readonly #lost = new AbortController()
  #isOver = false

  constructor(parts: MachineTermParts) {
    this.#parts = parts
  }

  get node(): string {
    return this.#parts.node
  }

  get term(): number {
    return this.#parts.term
  }

  get isLeader(): boolean {
    return !this.#isOver && this.#parts.isCurrent()
  }

  get lost(): AbortSignal {
    return this.#lost.signal
  }

  lose(reason: AlthingError): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#lost.abort(reason)
  }

  /** Without a word: by the one who leads. */
  end(): void {
    this.#isOver = true
  }

  async resign(): Promise<void> {
    if (this.#isOver) return
    this.#isOver = true
    this.#parts.resign()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.resign()
  }
}
