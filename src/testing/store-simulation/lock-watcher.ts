import type { LockTenure } from '../checkers/lock-holders.ts'

/** A lock, or any right that one at a time may have. */
export interface ExclusiveRight {
  readonly name: string
  readonly token: number
  readonly isHeld: boolean
}

interface Held {
  readonly lock: ExclusiveRight
  readonly holder: string
  readonly from: number
  /** When it was last seen to be held. */
  seenAt: number
}

/**
 * Sees, at any moment of true time, what every process that was given a lock would be told about it, also one that is stopped and could not ask. A tenure
 * is taken to last from the acquiring up to the last moment at which `isHeld` was seen to be true.
 */
export class LockWatcher {
  readonly #held = new Set<Held>()
  readonly #ended: LockTenure[] = []

  get tenures(): readonly LockTenure[] {
    return [...this.#ended, ...[...this.#held].map(tenureOf)]
  }

  /** A process was given the lock at this moment. */
  acquired(nowMs: number, holder: string, lock: ExclusiveRight): void {
    this.look(nowMs)
    this.#held.add({ lock, holder, from: nowMs, seenAt: nowMs })
  }

  /** Asks all of them; to be called often. */
  look(nowMs: number): void {
    for (const held of this.#held) {
      if (held.lock.isHeld) held.seenAt = nowMs
      else this.#end(held)
    }
  }

  /** A process died: what it was told does not matter any more. */
  died(nowMs: number, process: string): void {
    this.look(nowMs)
    for (const held of this.#held) if (held.holder.startsWith(`${process}.`)) this.#end(held)
  }

  #end(held: Held): void {
    this.#held.delete(held)
    this.#ended.push(tenureOf(held))
  }
}

function tenureOf({ lock, holder, from, seenAt }: Held): LockTenure {
  return { lock: lock.name, holder, token: lock.token, from, until: seenAt }
}
