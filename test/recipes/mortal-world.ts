import type { Network, Timer, Timers, World } from '../../src/contracts/world.ts'
import { LoopThreads } from '../engines/loop-threads.ts'

/** The world of one of several programs of this process, which can die alone: nothing that it has set happens any more. */
export class MortalWorld {
  readonly world: World
  #isDead = false

  /** `network` in place of that of `world`. */
  constructor(world: World, network: Network = world.network) {
    const mortal: World = { ...world, network, timers: this.#timers(world.timers) }
    this.world = { ...mortal, threads: new LoopThreads(mortal) }
  }

  get isDead(): boolean {
    return this.#isDead
  }

  die(): void {
    this.#isDead = true
  }

  #timers(timers: Timers): Timers {
    const unlessDead = (callback: () => void) => (): void => {
      if (!this.#isDead) callback()
    }
    return {
      after: (delayMs, callback): Timer => timers.after(delayMs, unlessDead(callback)),
      immediate: (callback) => timers.immediate(unlessDead(callback)),
    }
  }
}
