/** An answer that was lost may still come true for so long: a node that was stopped meanwhile hands on what it holds when it goes on. */
const strayMs = 10 * 60_000

interface Slot {
  /** Value of the newest acknowledged change, or one that was read since. */
  settled: string | undefined
  /** Values of changes whose answers were lost, with the time at which each was lost. */
  readonly strays: Map<string, number>
}

/**
 * What one client, the only writer of its keys, may find in them: what was acknowledged last, or something whose answer was lost. Unlike a history it covers
 * the whole run, whatever became of the cluster, in bounded memory.
 */
export class Ledger {
  readonly #slots = new Map<string, Slot>()

  acknowledged(key: string, value: string): void {
    this.#slot(key).settled = value
  }

  lost(key: string, value: string, nowMs: number): void {
    this.#slot(key).strays.set(value, nowMs)
  }

  /** Returns what is wrong when the key may not have that value. */
  found(key: string, value: string | undefined, nowMs: number): string | undefined {
    const slot = this.#slot(key)
    for (const [stray, lostMs] of slot.strays) if (nowMs - lostMs > strayMs) slot.strays.delete(stray)
    const problem = this.problemWith(key, value)
    // Told once: what follows is compared with what is there.
    slot.settled = value
    return problem
  }

  /** As {@link found}, of a copy that is looked at from outside: nothing is noted. */
  problemWith(key: string, value: string | undefined): string | undefined {
    const { settled, strays } = this.#slot(key)
    if (value === settled || (value !== undefined && strays.has(value))) return undefined
    return `${key} was ${shown(value)}, but the write of ${shown(settled)} was acknowledged`
  }

  get keys(): readonly string[] {
    return [...this.#slots.keys()]
  }

  #slot(key: string): Slot {
    let slot = this.#slots.get(key)
    if (slot === undefined) {
      slot = { settled: undefined, strays: new Map() }
      this.#slots.set(key, slot)
    }
    return slot
  }
}

function shown(value: string | undefined): string {
  return value === undefined ? 'absent' : JSON.stringify(value.split(' ', 1)[0])
}
