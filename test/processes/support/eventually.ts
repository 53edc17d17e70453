/** Waits between two looks. Short against everything that is waited for, long against the cost of a look. */
const lookEveryMs = 50

/** Time for what must happen, on a machine that does much else meanwhile. Not a measure of anything. */
export const patienceMs = 60_000

/** Thrown by an attempt that sees that waiting is of no use any more. */
export class Hopeless extends Error {}

/**
 * Calls `attempt` until it resolves with something other than `undefined` or `false`. Rejects with the last failure once
 * `timeoutMs` have passed, and at once when that is {@link Hopeless}.
 */
export async function eventually<T>(
  what: string,
  attempt: () => T | Promise<T>,
  timeoutMs: number = patienceMs,
): Promise<Exclude<T, undefined | false>> {
  const endMs = performance.now() + timeoutMs
  let last: unknown = 'not yet'
  for (;;) {
    try {
      const found = await attempt()
      if (found !== undefined && found !== false) return found as Exclude<T, undefined | false>
    } catch (error) {
      if (error instanceof Hopeless) throw error
      last = error
    }
    if (performance.now() > endMs) throw new Error(`${what}: not within ${timeoutMs} ms`, { cause: last })
    await pause(lookEveryMs)
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
