import type { Channel, Thread, ThreadEntry, Threads, World } from '../../src/contracts/world.ts'

type Handler = (message: unknown) => void

/** Threads that are none: what they would run runs in this loop. For tests of the sources, which a worker cannot load. */
export class LoopThreads implements Threads {
  readonly #world: World

  constructor(world: World) {
    this.#world = world
  }

  start<Data>(entry: ThreadEntry<Data>, data: Data): Thread {
    const [here, there] = pair()
    let exited: (error?: Error) => void = () => undefined
    const run = async (): Promise<void> => entry.run(this.#world, there, data)
    run().catch((error: unknown) => exited(error instanceof Error ? error : new Error(String(error))))
    return {
      ...here,
      stop: () => Promise.resolve(),
      onExit: (handler) => {
        exited = handler
      },
    }
  }
}

/** Messages that come before there is a handler wait for it, as those of a real thread do. */
function pair(): readonly [Channel, Channel] {
  const handlers: (Handler | undefined)[] = [undefined, undefined]
  const waiting: unknown[][] = [[], []]
  const deliver = (to: number, message: unknown): void => {
    const handler = handlers[to]
    if (handler === undefined) waiting[to]?.push(message)
    else handler(message)
  }
  const end = (own: number, other: number): Channel => ({
    post: (message) => queueMicrotask(() => deliver(other, message)),
    onMessage: (handler) => {
      handlers[own] = handler
      for (const message of waiting[own]?.splice(0) ?? []) handler(message)
    },
  })
  return [end(0, 1), end(1, 0)]
}
