/** Gaps remembered: of one that is older nobody asks any more. */
const gapsMax = 64

interface Gap {
  /** The revisions after `after` up to `to` were told here, and then lost by the server. */
  readonly after: number
  readonly to: number
}

/**
 * Which history this client was told of. A server that has lost acknowledged writes (a promoted replica, a crash between two syncs) gives their revisions a second time, to other changes. It does so under another epoch; from
 * the list of its epochs follows up to where the two histories are the same.
 */
export class HistoryLine {
  #epoch: string
  #seen = 0
  readonly #gaps: Gap[] = []

  constructor(epoch: string) {
    this.#epoch = epoch
  }

  /** The name under which the server knows the history that was told. */
  get epoch(): string {
    return this.#epoch
  }

  /** The newest revision that any reply has named. */
  see(revision: number): void {
    if (revision > this.#seen) this.#seen = revision
  }

  /** The history goes on under another name. `lostAfter`: the last revision that both have. Whether something that was told is not true any more. */
  move(epoch: string, lostAfter: number | undefined): boolean {
    this.#epoch = epoch
    if (lostAfter === undefined || this.#seen <= lostAfter) return false
    this.#gaps.push({ after: lostAfter, to: this.#seen })
    if (this.#gaps.length > gapsMax) this.#gaps.shift()
    this.#seen = lostAfter
    return true
  }

  /**
   * Where a watch must begin that is to follow on `revision`: the last revision that is surely of the history that holds now; `undefined` where that is `revision` itself. Who has it from the
   * history that holds is asked to look again for nothing.
   */
  believedBefore(revision: number): number | undefined {
    const gap = this.#gaps.find(({ after, to }) => revision > after && revision <= to)
    return gap?.after
  }
}
