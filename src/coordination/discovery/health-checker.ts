import { AlthingError } from '../../contracts/errors.ts'
import type { World } from '../../contracts/world.ts'
import { WaitLimit, pause, untilAborted } from '../abortable.ts'
import type { HealthCheck } from './discovery-types.ts'
import { durationMs } from '../names.ts'

export const checkDefaults = { interval: '5s', timeout: '2s' } as const

/** Until the first verdict an instance gets no work: its checks follow each other quickly. */
const firstIntervalMs = 250

export interface HealthCheckerOptions {
  readonly world: World
  readonly check: HealthCheck
  readonly signal: AbortSignal
  readonly hasVerdict: () => boolean
  readonly onResult: (ok: boolean, note: string | undefined) => void
}

/** Runs a check again and again until the signal fires. Never rejects: whatever the check does is a result. */
export async function runHealthChecks(options: HealthCheckerOptions): Promise<void> {
  const { world, check, signal } = options
  const intervalMs = durationMs('check.interval', check.interval ?? checkDefaults.interval)
  const timeoutMs = durationMs('check.timeout', check.timeout ?? checkDefaults.timeout)
  while (!signal.aborted) {
    const { ok, note } = await runOnce(world, check, timeoutMs, signal)
    if (signal.aborted) return
    options.onResult(ok, note)
    const waitMs = options.hasVerdict() ? intervalMs : Math.min(intervalMs, firstIntervalMs)
    await pause(world, waitMs, signal)
  }
}

async function runOnce(
  world: World,
  check: HealthCheck,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<{ readonly ok: boolean; readonly note?: string }> {
  const limit = new WaitLimit()
    .endWith(signal)
    .endAfter(world, timeoutMs, () => new AlthingError('timeout', `no result within ${timeoutMs} ms`))
  try {
    const running = (async () => await check.run(limit.signal))()
    const result = await untilAborted(running, limit.signal, (ended) => ended.reason)
    return result === false ? { ok: false, note: 'the check returned false' } : { ok: true }
  } catch (error) {
    return { ok: false, note: error instanceof Error ? error.message : String(error) }
  } finally {
    limit.dispose()
  }
}
