import { AlthingError, isAlthingError } from '../../contracts/errors.ts'
import type { World } from '../../contracts/world.ts'
import { pause } from '../abortable.ts'
import type { ExclusiveHold } from '../exclusive-hold.ts'
import { RightHandle } from '../right.ts'
import type { CronEnd } from './cron-state.ts'
import type { CronActive, CronRun, CronRunKind } from './cron-types.ts'

/** From the signal to the end of the right. */
export const stopGraceMs = 10_000
const textCharsMax = 1_000

export class CronRunHandle extends RightHandle implements CronRun {
  readonly name: string
  readonly signal: AbortSignal
  readonly #active: CronActive

  constructor(name: string, active: CronActive, hold: ExclusiveHold, signal: AbortSignal) {
    super(hold)
    this.name = name
    this.signal = signal
    this.#active = active
  }

  get id(): string {
    return this.#active.id
  }

  get kind(): CronRunKind {
    return this.#active.kind
  }

  get scheduledMs(): number {
    return this.#active.scheduledMs
  }

  get attempt(): number {
    return this.#active.attempt
  }

  get missed(): number {
    return this.#active.missed
  }
}

export interface PerformOptions {
  readonly world: World
  readonly name: string
  readonly active: CronActive
  readonly hold: ExclusiveHold
  readonly timeoutMs: number | undefined
  readonly closing: AbortSignal
  readonly run: (run: CronRun) => unknown
}

/** Runs it, and tells how it ended: when it settles, or some time after it was told to stop, or at once when its right is lost. */
export async function perform(options: PerformOptions): Promise<CronEnd> {
  const { world, name, active, hold, timeoutMs, closing } = options
  const stopping = new AbortController()
  const ended = new AbortController()
  const startMs = world.clock.monotonicMs()
  const stop = (reason: unknown): void => stopping.abort(reason)
  const onClosing = (): void => stop(closing.reason)
  const onLost = (): void => stop(hold.lost.reason)
  hold.lost.addEventListener('abort', onLost, { once: true, signal: ended.signal })
  closing.addEventListener('abort', onClosing, { once: true, signal: ended.signal })
  if (hold.lost.aborted) onLost()
  if (closing.aborted) onClosing()
  const timer =
    timeoutMs === undefined
      ? undefined
      : world.timers.after(timeoutMs, () => stop(timedOut(name, active.id, timeoutMs)))
  const handle = new CronRunHandle(name, active, hold, stopping.signal)
  const settled = settle(options.run, handle)
  try {
    const end = await Promise.race([settled, givenUp(world, stopping.signal, hold.lost, ended.signal)])
    const durationMs = Math.round(world.clock.monotonicMs() - startMs)
    return { ...judged(end, stopping.signal), durationMs, token: hold.fence.token }
  } finally {
    timer?.cancel()
    ended.abort()
  }
}

async function settle(run: (run: CronRun) => unknown, handle: CronRun): Promise<CronEnd> {
  try {
    const text = resultText(await run(handle))
    return { outcome: 'succeeded', ...(text === undefined ? {} : { result: text }) }
  } catch (error) {
    return { outcome: 'failed', error: errorText(error) }
  }
}

/** Resolves when the run has been told to stop and has had its time to do so. */
async function givenUp(
  world: World,
  stop: AbortSignal,
  lost: AbortSignal,
  ended: AbortSignal,
): Promise<CronEnd> {
  await new Promise<void>((resolve) => {
    if (stop.aborted) resolve()
    else stop.addEventListener('abort', () => resolve(), { once: true, signal: ended })
  })
  if (!lost.aborted) await pause(world, stopGraceMs, AbortSignal.any([lost, ended]))
  return { outcome: 'interrupted', error: `it went on after ${errorText(stop.reason)}` }
}

/** A run that was out of time is told of as such, however it ended; one that was closed and ended well has ended well. */
function judged(end: CronEnd, stop: AbortSignal): CronEnd {
  if (!stop.aborted) return end
  if (isAlthingError(stop.reason, 'timeout')) {
    const error = end.error ?? errorText(stop.reason)
    return { ...end, outcome: 'timed-out', error }
  }
  return end.outcome === 'failed' ? { ...end, outcome: 'interrupted' } : end
}

function timedOut(name: string, id: string, timeoutMs: number): AlthingError {
  return new AlthingError('timeout', `run ${id} of "${name}" took longer than ${timeoutMs} ms`, {
    outcome: 'none',
    details: { name, id, timeoutMs },
  })
}

function resultText(result: unknown): string | undefined {
  if (result === undefined) return undefined
  try {
    return JSON.stringify(result)?.slice(0, textCharsMax)
  } catch {
    // A circle, or a bigint: its kind must do.
    return Object.prototype.toString.call(result)
  }
}

function errorText(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, textCharsMax)
}
