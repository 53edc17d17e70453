import { asAlthingError } from '../contracts/errors.ts'
import type { World } from '../contracts/world.ts'

/** How long a store may be away before a run gives up; it can be taken up again. */
const patienceMs = 60_000
const pauseMs = 250

/** Does it again while the store is away. Only for what may be done twice. */
export async function patiently<T>(
  world: Pick<World, 'clock' | 'timers'>,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  const endMs = world.clock.monotonicMs() + patienceMs
  for (;;) {
    try {
      return await work()
    } catch (cause) {
      const { retryable, code } = asAlthingError(cause)
      const isAway = retryable || code === 'timeout' || code === 'unavailable'
      if (!isAway || signal?.aborted === true || world.clock.monotonicMs() >= endMs) throw cause
    }
    await new Promise<void>((resolve) => world.timers.after(pauseMs, resolve))
  }
}
