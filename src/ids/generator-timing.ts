import { invalidArgument } from '../contracts/errors.ts'
import { durationMs } from '../coordination/names.ts'
import type { OnClockBack } from '../protocols/snowflake/sequence.ts'
import { snowflakeDefaults, type SnowflakeTimeOptions } from './snowflake-types.ts'

/** How a generator of ids goes by the clock, in milliseconds. */
export interface GeneratorTiming {
  readonly onClockBack: OnClockBack
  readonly clockBackMaxMs: number
  readonly maxAheadMs: number
  readonly reserveMs: number
  readonly spinMaxMs: number
}

export function timingOf(options: SnowflakeTimeOptions): GeneratorTiming {
  const onClockBack = options.onClockBack ?? snowflakeDefaults.onClockBack
  if (!['wait', 'borrow', 'throw'].includes(onClockBack))
    throw invalidArgument('onClockBack', onClockBack, "'wait', 'borrow' or 'throw'")
  const clockBackMaxMs = bounded('clockBackMax', options, 1, 600_000)
  return {
    onClockBack,
    clockBackMaxMs,
    maxAheadMs: onClockBack === 'borrow' ? clockBackMaxMs : bounded('maxAhead', options, 0, 1_000),
    reserveMs: bounded('reserve', options, 50, 3_600_000),
    spinMaxMs: bounded('spinMax', options, 0, 1_000),
  }
}

type TimeField = 'clockBackMax' | 'maxAhead' | 'reserve' | 'spinMax'

function bounded(field: TimeField, options: SnowflakeTimeOptions, min: number, max: number): number {
  const given = options[field] ?? snowflakeDefaults[field]
  const ms = Math.round(durationMs(field, given))
  if (ms < min || ms > max) throw invalidArgument(field, given, `a duration between ${min} ms and ${max} ms`)
  return ms
}
