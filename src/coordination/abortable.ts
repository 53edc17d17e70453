import { createDeferred } from '../base/deferred.ts'
import { AlthingError, isAlthingError } from '../contracts/errors.ts'
import type { World } from '../contracts/world.ts'

/** The error of a call whose own signal fired. */
export function abortedError(signal: AbortSignal): AlthingError {
  return new AlthingError('aborted', 'the call was aborted by its signal', {
    outcome: 'none',
    cause: signal.reason,
  })
}

/** Settles like `promise`, or rejects as soon as `signal` fires with what `reason` makes of it. The promise goes on by itself. */
export async function untilAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal | undefined,
  reason: (signal: AbortSignal) => unknown = abortedError,
): Promise<T> {
  if (signal === undefined) return await promise
  const aborted = createDeferred<never>()
  const onAbort = (): void => aborted.reject(reason(signal))
  if (signal.aborted) onAbort()
  else signal.addEventListener('abort', onAbort, { once: true })
  // The loser of the race may reject later, when nobody listens any more.
  promise.catch(() => {})
  try {
    return await Promise.race([aborted.promise, promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** Resolves after `delayMs`, or at once when the signal fires: the caller looks at the signal. */
export async function pause(world: World, delayMs: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted === true) return
  const elapsed = createDeferred<void>()
  const onAbort = (): void => elapsed.resolve()
  const timer = world.timers.after(delayMs, onAbort)
  signal?.addEventListener('abort', onAbort, { once: true })
  await elapsed.promise
  timer.cancel()
  signal?.removeEventListener('abort', onAbort)
}

/** Several reasons to stop waiting, in one signal whose reason is the first of them. */
export class WaitLimit {
  readonly #controller = new AbortController()
  readonly #release: (() => void)[] = []

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  endWith(source: AbortSignal | undefined, reason: (signal: AbortSignal) => unknown = abortedError): this {
    if (source === undefined) return this
    const onAbort = (): void => this.#controller.abort(reason(source))
    if (source.aborted) onAbort()
    else {
      source.addEventListener('abort', onAbort, { once: true })
      this.#release.push(() => source.removeEventListener('abort', onAbort))
    }
    return this
  }

  endAfter(world: World, delayMs: number, reason: () => unknown): this {
    const timer = world.timers.after(delayMs, () => this.#controller.abort(reason()))
    this.#release.push(() => timer.cancel())
    return this
  }

  throwIfEnded(): void {
    if (this.signal.aborted) throw this.signal.reason
  }

  /** Lets go of timers and listeners. */
  dispose(): void {
    for (const release of this.#release.splice(0)) release()
  }
}

/**
 * For a call that was ended by the caller's signal or by the closing of its service: the error to throw. Closing says `closed`, unless
 * the caller left first.
 */
export function closedOr(error: unknown, closing: AbortSignal, caller: AbortSignal | undefined): unknown {
  const isEnded = isAlthingError(error, 'aborted') && closing.aborted && caller?.aborted !== true
  return isEnded ? closing.reason : error
}
