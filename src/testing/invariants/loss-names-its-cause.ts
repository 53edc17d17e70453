import { isAlthingError } from '../../contracts/errors.ts'
import { InvariantViolation } from './violation.ts'

/** A right was lost. Times are true. */
export interface Loss {
  readonly user: string
  readonly process: string
  readonly what: string
  readonly atMs: number
  /** Of the signal. */
  readonly reason: unknown
}

/** A process was stopped, or its loop blocked. */
export interface Stall {
  readonly process: string
  readonly kind: 'pause' | 'block'
  readonly fromMs: number
  readonly untilMs: number
}

export interface LossCircumstances {
  readonly stalls: readonly Stall[]
  readonly ttlMs: number
  /** Undefined where the loop itself renews. */
  readonly maxStallMs: number | undefined
}

const causes: ReadonlySet<unknown> = new Set([
  'event-loop-blocked',
  'process-stopped',
  'store-unreachable',
  'lease-revoked',
  'removed',
  'closed',
])
/** What ended before so long cannot be the reason any more. */
const memoryTtls = 2
const slackMs = 1_000

/**
 * Each loss says why, and does not blame a stall that was not: a stopped process was stopped, a blocked loop stood still, and where a thread renews a blocked loop alone loses
 * nothing before the longest stall allowed. DESIGN.md, rule 5.
 */
export function checkLossNamesItsCause(
  losses: readonly Loss[],
  circumstances: LossCircumstances,
): InvariantViolation | undefined {
  for (const loss of losses) {
    const problem = problemOf(loss, circumstances)
    if (problem === undefined) continue
    return new InvariantViolation('loss-names-its-cause', `${loss.user} lost ${loss.what}: ${problem}`)
  }
  return undefined
}

function problemOf(
  { process, atMs, reason }: Loss,
  { stalls, ttlMs, maxStallMs }: LossCircumstances,
): string | undefined {
  if (!isAlthingError(reason, 'lost') || reason.outcome !== 'none')
    return `${String(reason)} is no loss with outcome none`
  const cause = reason.details?.['cause']
  if (!causes.has(cause)) return `${String(cause)} is none of the causes (${reason.message})`
  const own = stalls.filter((stall) => stall.process === process && stall.fromMs <= atMs)
  const sinceMs = beganMs(own, atMs - memoryTtls * ttlMs - slackMs)
  const recent = own.filter((stall) => stall.untilMs >= sinceMs)
  if (cause === 'process-stopped' && !recent.some(({ kind }) => kind === 'pause'))
    return `it says that the process was stopped, and it was not (${reason.message})`
  // Stops and blocks in a row are one silence.
  const silentMs = recent.reduce((sum, { fromMs, untilMs }) => sum + Math.min(untilMs, atMs) - fromMs, 0)
  if (cause === 'event-loop-blocked' && silentMs < (maxStallMs ?? 0) * 0.9)
    return `it says that the loop was blocked, which was silent for ${silentMs} ms only (${reason.message})`
  return undefined
}

/** A loss is told when the loop runs again: at the end of a row of stalls, of which the first may be the cause. */
function beganMs(stalls: readonly Stall[], sinceMs: number): number {
  let first = sinceMs
  for (const { fromMs, untilMs } of stalls.toSorted((a, b) => b.untilMs - a.untilMs))
    if (untilMs >= first) first = Math.min(first, fromMs)
  return first
}
