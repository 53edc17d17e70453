import { AlthingError } from '../contracts/errors.ts'
import type { SnowflakeSequence } from '../protocols/snowflake/sequence.ts'

type Refusal = SnowflakeSequence['refusal']

/** The error for what a sequence refuses. `details.retryAfterMs` where time alone mends it. */
export function refusedIds(refusal: Refusal, clockBackMaxMs: number): AlthingError {
  switch (refusal.kind) {
    case 'ahead':
      return refused('overloaded', 'ahead', 'ids are ahead of the clock as far as they may be', {
        retryAfterMs: refusal.waitMs,
      })
    case 'clock-back': {
      const { backMs } = refusal
      const isSmall = backMs <= clockBackMaxMs
      const message = `the clock stepped back by ${backMs} ms${isSmall ? '' : `, more than the ${clockBackMaxMs} ms that are waited for`}`
      const details = { backMs, ...(isSmall ? { retryAfterMs: backMs } : {}) }
      return refused('unavailable', 'clock-back', message, details, isSmall)
    }
    case 'window': {
      const message = 'the reserved time is used up, and the store has not given more yet'
      return refused('unavailable', 'reserve', message, {})
    }
    case 'out-of-range':
      return clockOutOfRange()
  }
}

export function clockOutOfRange(): AlthingError {
  const message = 'the clock shows a time that ids of this layout cannot have'
  return refused('unavailable', 'clock-out-of-range', message, {}, false)
}

/** `last`: why there was none so far. */
export function idTimedOut(timeoutMs: number, last: AlthingError | undefined): AlthingError {
  const why = last === undefined ? '' : `: ${last.message}`
  return new AlthingError('timeout', `no id within ${timeoutMs} ms${why}`, {
    outcome: 'none',
    ...(last === undefined ? {} : { cause: last, details: { ...last.details } }),
  })
}

function refused(
  code: 'unavailable' | 'overloaded',
  cause: string,
  message: string,
  details: Readonly<Record<string, unknown>>,
  retryable = true,
): AlthingError {
  return new AlthingError(code, message, { outcome: 'none', retryable, details: { cause, ...details } })
}
