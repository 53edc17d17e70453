import type { World } from '../contracts/world.ts'

const sliceMs = 4
const stepsMax = 8

/** Runs long work step by step, a few steps in one turn of the loop, until it has ended or `isWanted` says no. Rejects with what the work throws. */
export async function runInSlices(
  world: World,
  work: Iterator<void>,
  isWanted: () => boolean,
): Promise<void> {
  while (isWanted()) {
    const startedMs = world.clock.monotonicMs()
    for (let steps = 0; steps < stepsMax; steps++) {
      if (work.next().done === true) return
      if (world.clock.monotonicMs() - startedMs >= sliceMs) break
    }
    await new Promise<void>((resolve) => world.timers.immediate(resolve))
  }
}
