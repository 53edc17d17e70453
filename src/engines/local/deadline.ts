import { AlthingError, invalidArgument } from '../../contracts/errors.ts'
import type { CallOptions } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'

/** How long a call waits when the caller does not say. */
export const defaultTimeoutMs = 5_000

/** Settles a call: the first of the two, once. */
export interface Settle<T> {
  resolve(value: T): void
  reject(error: unknown): void
}

export interface Bound {
  readonly timeoutMs: number
  /** What may have happened when the caller gives up. Asked at that moment. */
  outcome(): 'none' | 'unknown' | undefined
  /** The caller gave up: stop what is under way. */
  abandoned?(): void
  /** What was the matter, when the time ran out. */
  lastError?(): AlthingError | undefined
}

/** Runs a callback-style call as a promise, with the caller's signal and a time limit. */
export function withDeadline<T>(
  world: World,
  options: CallOptions,
  bound: Bound,
  start: (settle: Settle<T>) => void,
): Promise<T> {
  const { signal } = options
  if (Number.isNaN(bound.timeoutMs)) {
    return Promise.reject(invalidArgument('timeoutMs', bound.timeoutMs, 'a number of milliseconds'))
  }
  return new Promise<T>((resolve, reject) => {
    const giveUp = (error: AlthingError): void => {
      finish()
      reject(error)
      bound.abandoned?.()
    }
    const withOutcomeOf = (
      code: 'aborted' | 'timeout' | 'unavailable',
      message: string,
      cause?: unknown,
    ): AlthingError => {
      const outcome = bound.outcome()
      return new AlthingError(code, message, outcome === undefined ? { cause } : { cause, outcome })
    }
    const onAbort = (): void => giveUp(withOutcomeOf('aborted', 'the call was aborted', signal?.reason))
    const timer = world.timers.after(bound.timeoutMs, () => {
      const last = bound.lastError?.()
      const isOutage = last?.code === 'unavailable'
      const waitedMs = Math.max(0, Math.round(bound.timeoutMs))
      const message =
        last === undefined ? `no answer within ${waitedMs} ms` : `${last.message} (tried for ${waitedMs} ms)`
      giveUp(withOutcomeOf(isOutage ? 'unavailable' : 'timeout', message, last))
    })
    const finish = (): void => {
      timer.cancel()
      signal?.removeEventListener('abort', onAbort)
    }
    if (signal?.aborted === true) {
      timer.cancel()
      reject(
        new AlthingError('aborted', 'the call was aborted before it began', {
          cause: signal.reason,
          outcome: 'none',
        }),
      )
      return
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    start({
      resolve: (value) => {
        finish()
        resolve(value)
      },
      reject: (error) => {
        finish()
        reject(error as Error)
      },
    })
  })
}
