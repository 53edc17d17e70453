import type { Channel, Thread, ThreadEntry, Threads, World } from '../../src/contracts/world.ts'

/** Threads that are none: what they would run runs in this loop. For tests of the sources, which a worker cannot load. */
export class LoopThreads implements Threads {
  readonly #world: World

  constructor(world: World) {
    this.#world = world
  }

  start<Data>(entry: ThreadEntry<Data>, data: Data): Thread {
    const [here, there] = pair()
    void entry.run(this.#world, there, data)
    return { ...here, stop: () => Promise.resolve(), onExit: () => undefined }
  }
}

function pair(): readonly [Channel, Channel] {
  const handlers: ((message: unknown) => void)[] = [() => undefined, () => undefined]
  const end = (own: number, other: number): Channel => ({
    post: (message) => queueMicrotask(() => handlers[other]?.(message)),
    onMessage: (handler) => {
      handlers[own] = handler
    },
  })
  return [end(0, 1), end(1, 0)]
}
