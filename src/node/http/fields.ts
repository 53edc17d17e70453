import { z } from 'zod'
import { parseDurationMs } from '../../base/duration.ts'

/** A whole number in a path or a query. */
export const wholeField = z.coerce.number().int().min(0)

export const flagField = z.stringbool({ truthy: ['true', '1', ''], falsy: ['false', '0'] })

export const consistencyField = z
  .enum(['linearizable', 'serializable'])
  .optional()
  .describe("'serializable' reads this node's own copy, which may be behind, and works without a quorum")

export const durationField = z
  .string()
  .refine((text) => parseDurationMs(text) !== undefined, "a length of time such as '250ms' or '30s'")
  .transform((text) => parseDurationMs(text) as number)

/** Time for the call on the store: at most a minute. */
export const timeoutField = durationField
  .refine((ms) => ms > 0 && ms <= 60_000, 'more than 0 and at most 60s')
  .optional()
  .describe("time for the call, such as '2s'; default '5s'")
