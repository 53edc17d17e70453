import type { SessionStamp } from '../../models/store/types.ts'

/** Numbers the commands of one session, and knows up to where the client has had every reply. */
export class CommandStamps {
  readonly session: number
  #next = 1
  #acknowledged = 0
  readonly #outstanding = new Set<number>()

  constructor(session: number) {
    this.session = session
  }

  get outstanding(): number {
    return this.#outstanding.size
  }

  take(): SessionStamp {
    const sequence = this.#next++
    this.#outstanding.add(sequence)
    return { session: this.session, sequence, acknowledged: this.#acknowledged }
  }

  /** The reply has arrived, or nobody will ask for it again. */
  settle(sequence: number): void {
    this.#outstanding.delete(sequence)
    while (this.#acknowledged + 1 < this.#next && !this.#outstanding.has(this.#acknowledged + 1))
      this.#acknowledged++
  }
}
