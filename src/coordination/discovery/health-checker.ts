import { AlthingError } from '../../contracts/errors.ts'
import type { World } from '../../contracts/world.ts'
import { WaitLimit, pause, untilAborted } from '../abortable.ts'
import type { CheckTiming } from './check-types.ts'

/** Until the first verdict an instance gets no work: its checks follow each other quickly. */
const firstIntervalMs = 250

export interface HealthCheckerOptions {
  readonly world: World
  readonly timing: CheckTiming
  /** One run. Its text is the note of a good result. */
  readonly run: (signal: AbortSignal) => unknown
  readonly signal: AbortSignal
  readonly hasVerdict: () => boolean
  readonly onResult: (ok: boolean, note: string | undefined) => void
}

/** Runs a check again and again until the signal fires. Never rejects: whatever the check does is a result. */
export async function runHealthChecks(options: HealthCheckerOptions): Promise<void> {
  const { world, timing, signal } = options
  while (!signal.aborted) {
    const { ok, note } = await runOnce(options)
    if (signal.aborted) return
    options.onResult(ok, note)
    const { intervalMs } = timing
    await pause(world, options.hasVerdict() ? intervalMs : Math.min(intervalMs, firstIntervalMs), signal)
  }
}

async function runOnce(
  options: HealthCheckerOptions,
): Promise<{ readonly ok: boolean; readonly note?: string }> {
  const { world, run, timing, signal } = options
  const { timeoutMs } = timing
  const limit = new WaitLimit()
    .endWith(signal)
    .endAfter(world, timeoutMs, () => new AlthingError('timeout', `no result within ${timeoutMs} ms`))
  try {
    const running = (async () => await run(limit.signal))()
    const result = await untilAborted(running, limit.signal, (ended) => ended.reason)
    if (result === false) return { ok: false, note: 'the check returned false' }
    return typeof result === 'string' ? { ok: true, note: result } : { ok: true }
  } catch (error) {
    return { ok: false, note: error instanceof Error ? error.message : String(error) }
  } finally {
    limit.dispose()
  }
}
