const stepsPerBatch = 512

type Uncaught = 'unhandledRejection' | 'uncaughtException'
type UncaughtListener = Parameters<typeof process.on>[1]

/**
 * Runs `step` again and again until it returns false, each time with nothing left over from the time before: between two
 * immediates Node.js runs all ticks and all microtasks, however deep the chains of awaits, and then reports the
 * rejections that nobody handled. Queueing many immediates at once saves the trip through libuv for each of them.
 *
 * What a step leaves uncaught (an exception in a microtask, a rejection) goes to `uncaught` before the next step. While
 * a batch runs, it takes the place of the hosting process's own handlers for the two.
 */
export function drive(step: () => boolean, uncaught: (error: unknown) => void): Promise<void> {
  return new Promise((resolve) => {
    let isGoing = true
    let hostListeners: ReturnType<typeof takeListeners> | undefined
    const begin = (): void => {
      hostListeners = takeListeners()
      process.on('unhandledRejection', uncaught)
      process.on('uncaughtException', uncaught)
    }
    const advance = (): void => {
      isGoing = isGoing && step()
    }
    const end = (): void => {
      process.off('unhandledRejection', uncaught)
      process.off('uncaughtException', uncaught)
      if (hostListeners !== undefined) giveBackListeners(hostListeners)
      if (isGoing) queueBatch()
      else resolve()
    }
    const queueBatch = (): void => {
      setImmediate(begin)
      for (let i = 0; i < stepsPerBatch; i++) setImmediate(advance)
      setImmediate(end)
    }
    queueBatch()
  })
}

const kinds: readonly Uncaught[] = ['unhandledRejection', 'uncaughtException']

function takeListeners(): Map<Uncaught, UncaughtListener[]> {
  const taken = new Map<Uncaught, UncaughtListener[]>()
  for (const kind of kinds) {
    taken.set(kind, process.rawListeners(kind) as UncaughtListener[])
    process.removeAllListeners(kind)
  }
  return taken
}

function giveBackListeners(taken: ReadonlyMap<Uncaught, readonly UncaughtListener[]>): void {
  for (const [kind, listeners] of taken) for (const listener of listeners) process.on(kind, listener)
}
