import { z } from 'zod'
import type { CronActive, CronOverview, CronPending, CronRecord } from '../../coordination/cron/cron-types.ts'
import type { Describes } from './answers.ts'

const whole = z.number().int()
const kind = z.enum(['scheduled', 'missed', 'manual'])

const pending = {
  id: z.string().describe('the time of the occurrence, or `manual-…`'),
  kind,
  scheduledMs: z.number(),
  attempt: whole,
  missed: whole.describe('for so many more this run stands'),
}

const cronPending = z.object(pending) satisfies Describes<CronPending>

const cronActive = z.object({
  ...pending,
  by: z.string().describe('the instance'),
  startedMs: z.number(),
}) satisfies Describes<CronActive>

export const cronSchedule = z
  .object({
    name: z.string(),
    definition: z.object({
      schedule: z.string().optional(),
      everyMs: z.number().optional().describe('instead of `schedule`'),
      timeZone: z.string(),
      missed: z.enum(['skip', 'run-once', 'run-all']),
      missedMax: whole,
      startWithinMs: z.number(),
      overlap: z.enum(['skip', 'queue', 'allow']),
      runsMax: whole,
      delivery: z.enum(['at-most-once', 'at-least-once']),
      attemptsMax: whole,
      timeoutMs: z.number().optional(),
      ttlMs: z.number(),
      historyMax: whole,
    }),
    nextMs: z.number().optional().describe('when it is due next; absent while it is paused'),
    decidedUntilMs: z.number(),
    paused: z.object({ by: z.string(), reason: z.string().optional(), atMs: z.number() }).optional(),
    running: z.array(cronActive),
    waiting: z.array(cronPending),
  })
  .meta({ id: 'Schedule' }) satisfies Describes<CronOverview>

export const cronRecord = z
  .object({
    id: z.string(),
    kind,
    scheduledMs: z.number(),
    outcome: z.enum(['succeeded', 'failed', 'timed-out', 'interrupted', 'missed', 'skipped']),
    count: whole.describe('occurrences that it tells of'),
    attempt: whole.optional(),
    by: z.string().optional(),
    startedMs: z.number().optional(),
    durationMs: z.number().optional(),
    token: whole.optional(),
    result: z.string().optional(),
    error: z.string().optional(),
  })
  .meta({ id: 'ScheduleRecord' }) satisfies Describes<CronRecord>

export const paused = z.object({ name: z.string(), paused: z.boolean() })
