import { formatDurationMs } from '../../base/duration.ts'
import { AlthingError } from '../../contracts/errors.ts'
import type { LoopStall } from '../../protocols/lease/loop-watch.ts'

/** Why a lease was lost; `details.cause` of the error that says so. */
export type LossCause =
  | 'event-loop-blocked'
  | 'process-stopped'
  | 'store-unreachable'
  | 'lease-revoked'
  | 'removed'
  | 'closed'

/** What is known at the moment of a loss by time. */
export interface LapseCircumstances {
  readonly nowMs: number
  /** When the last acknowledged renewal was sent. */
  readonly sentMs: number
  readonly ttlMs: number
  /** The application's longest stall since then. */
  readonly stall: LoopStall | undefined
  /** Of the renewing thread; absent when the application's own loop renews. */
  readonly thread: { readonly aliveMs: number; readonly stall: LoopStall } | undefined
  readonly maxStallMs: number
  /** What the last failed renewal said. */
  readonly lastFailure: string | undefined
}

/** Names the cause of a lease that was not renewed in time. */
export function lapseError(circumstances: LapseCircumstances): AlthingError {
  const cause = lapseCause(circumstances)
  const { nowMs, sentMs, ttlMs, stall, thread, maxStallMs, lastFailure } = circumstances
  const stalledMs = stall?.lengthMs ?? 0
  const texts: Partial<Record<LossCause, string>> = {
    'process-stopped': `process stopped for ${formatDurationMs(stalledMs)}`,
    'event-loop-blocked':
      `event loop blocked for ${formatDurationMs(stalledMs)}` +
      (thread === undefined ? '' : `, longer than the ${formatDurationMs(maxStallMs)} allowed`),
    'store-unreachable':
      `store unreachable since ${formatDurationMs(nowMs - sentMs)}` +
      (lastFailure === undefined ? '' : ` (${lastFailure})`),
  }
  return lostError(
    cause,
    `${texts[cause]}; the lease of ${formatDurationMs(ttlMs)} was not renewed in time`,
    {
      ...(stall === undefined ? {} : { stallMs: Math.round(stalledMs) }),
      sinceRenewalMs: Math.round(nowMs - sentMs),
      ttlMs,
    },
  )
}

export function lostError(
  cause: LossCause,
  message: string,
  details: Readonly<Record<string, unknown>> = {},
): AlthingError {
  return new AlthingError('lost', message, { outcome: 'none', details: { cause, ...details } })
}

function lapseCause(circumstances: LapseCircumstances): LossCause {
  const { stall, thread, ttlMs, maxStallMs } = circumstances
  // A shorter stall than this leaves time for another try.
  if (stall === undefined || stall.lengthMs < ttlMs * 0.3) return 'store-unreachable'
  // The loop that stood still is the one that renews.
  if (thread === undefined) return 'event-loop-blocked'
  if (threadStoodStill(stall, thread, circumstances.nowMs)) return 'process-stopped'
  return stall.lengthMs > maxStallMs ? 'event-loop-blocked' : 'store-unreachable'
}

/** A thread that runs shows so at least this often. */
const threadTicksMs = 300

/** The thread's loop is idle in between, so when both loops were silent through the same time, it was the process. */
function threadStoodStill(
  stall: LoopStall,
  thread: { readonly aliveMs: number; readonly stall: LoopStall },
  nowMs: number,
): boolean {
  const halfMs = stall.lengthMs / 2
  // It may not have run yet since, or it may have noticed already.
  if (nowMs - thread.aliveMs > Math.max(halfMs, threadTicksMs)) return true
  return thread.stall.lengthMs > halfMs && thread.stall.endMs > stall.endMs - stall.lengthMs
}
