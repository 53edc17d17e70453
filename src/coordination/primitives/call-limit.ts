import type { Duration } from '../../base/duration.ts'
import { AlthingError } from '../../contracts/errors.ts'
import type { World } from '../../contracts/world.ts'
import { WaitLimit } from '../abortable.ts'
import { durationMs } from '../names.ts'

export interface WaitOptions {
  /** Default 1 minute; then `timeout`. */
  readonly waitTimeout?: Duration
  readonly signal?: AbortSignal
}

export const waitDefaults = { waitTimeout: '1m' } as const

/** Ends a wait: by its time, its signal, or the closing of its service. */
export function waitLimit(world: World, what: string, options: WaitOptions, closing: AbortSignal): WaitLimit {
  const timeoutMs = durationMs('waitTimeout', options.waitTimeout ?? waitDefaults.waitTimeout)
  return new WaitLimit()
    .endWith(options.signal)
    .endWith(closing, (signal) => signal.reason)
    .endAfter(
      world,
      timeoutMs,
      () =>
        new AlthingError('timeout', `${what} took longer than ${timeoutMs} ms`, {
          outcome: 'none',
          details: { waitTimeoutMs: timeoutMs },
        }),
    )
}
