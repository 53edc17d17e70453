import type { Timer, World } from '../../../contracts/world.ts'
import type { StateHash } from '../../../models/store/types.ts'
import type { StoreHost } from '../../local/store-host.ts'

/** What a copy was at one place of the log. */
export interface ReplicaHash extends StateHash {
  readonly index: number
  /**
   * The same hash computed anew from every key and lease of that moment; absent while that is under way. The other one is kept up to date with each change, so a value that was
   * damaged in memory shows only here.
   */
  readonly recomputed?: string
}

/** Checkpoints remembered: more are not asked for at a time. */
const checkpointsMax = 16
/** Between two steps of a computation, so that the loop is free for other work half of the time at least. */
const pauseMs = 2

/** Remembers the hashes of one group's copy at the last checkpoints of its log. */
export class CheckpointLog {
  readonly #world: World
  readonly #hashes = new Map<number, ReplicaHash>()
  #timer: Timer | undefined
  #isClosed = false

  constructor(world: World, host: StoreHost) {
    this.#world = world
    host.onCheckpoint((index, { revision, hash, sessionsHash }) => {
      this.#remember({ index, revision, hash, sessionsHash })
      // The first step is made now, while the state is still that of this place.
      this.#recompute(index, host.model.recomputeStateHash())
    })
  }

  at(index: number): ReplicaHash | undefined {
    return this.#hashes.get(index)
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
  }

  #remember(hash: ReplicaHash): void {
    this.#hashes.set(hash.index, hash)
    for (const index of this.#hashes.keys()) {
      if (this.#hashes.size <= checkpointsMax) return
      this.#hashes.delete(index)
    }
  }

  #recompute(index: number, steps: Iterator<void, StateHash, undefined>): void {
    const step = steps.next()
    if (step.done !== true) {
      if (!this.#isClosed)
        this.#timer = this.#world.timers.after(pauseMs, () => this.#recompute(index, steps))
      return
    }
    const hash = this.#hashes.get(index)
    if (hash !== undefined) this.#hashes.set(index, { ...hash, recomputed: step.value.hash })
  }
}
