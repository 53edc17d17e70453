import { z } from 'zod'
import type {
  ConfigDifference,
  ConfigDocument,
  ConfigVersion,
  EffectiveConfig,
  HistoryItem,
  InstanceReport,
  ScopeSummary,
} from '../../coordination/config/config-types.ts'
import type { Describes } from './answers.ts'

/** What the routes of the config centre answer. Secrets are masked in all of it. */
const whole = z.number().int()
const anyJson = z.any()
const labels = z.record(z.string(), z.string())

const shownValue = z.union([
  z.object({ value: anyJson, isSecret: z.literal(false) }),
  z.object({
    isSecret: z.literal(true),
    key: z.string().describe('the master key it is sealed with'),
    value: anyJson.optional(),
  }),
])

const shownValues = z.record(z.string(), shownValue)

const cause = z.union([
  z.object({ kind: z.enum(['write', 'schema']) }),
  z.object({ kind: z.enum(['rollback', 'abort']), of: whole }),
])

const versionInfo = {
  version: whole,
  cause: cause as z.ZodType<ConfigVersion['cause']>,
  author: z.string(),
  message: z.string(),
  atMs: z.number(),
}

const rule = { share: z.number().describe('percent of the instances'), match: labels.optional() }

const step = z.object({
  step: z.enum(['staged', 'widened', 'promoted', 'aborted']),
  ...rule,
  author: z.string(),
  message: z.string(),
  atMs: z.number(),
})

export const configVersion = z
  .object({
    ...versionInfo,
    values: shownValues,
    instances: z.record(z.string(), shownValues).describe('what single instances have instead'),
  })
  .meta({ id: 'ConfigVersion' }) satisfies Describes<ConfigVersion>

export const configDocument = z
  .object({
    scope: z.string(),
    latest: whole.describe('0: nothing written yet'),
    stable: configVersion,
    staged: z.object({ version: configVersion, ...rule, steps: z.array(step) }).optional(),
    schema: z.record(z.string(), anyJson).optional(),
  })
  .meta({ id: 'ConfigDocument' }) satisfies Describes<ConfigDocument>

export const historyItem = z
  .object({ ...versionInfo, steps: z.array(step) })
  .meta({ id: 'ConfigHistoryItem' }) satisfies Describes<HistoryItem>

export const configDifference = z
  .object({
    key: z.string(),
    instance: z.string().optional(),
    before: shownValue.optional(),
    after: shownValue.optional(),
  })
  .meta({ id: 'ConfigDifference' }) satisfies Describes<ConfigDifference>

export const effectiveConfig = z
  .object({
    service: z.string(),
    instance: z.string().optional(),
    version: whole,
    globalVersion: whole,
    values: z.record(
      z.string(),
      z.intersection(shownValue, z.object({ layer: z.enum(['global', 'service', 'instance']) })),
    ),
  })
  .meta({ id: 'EffectiveConfig' }) satisfies Describes<EffectiveConfig>

export const instanceReport = z
  .object({
    service: z.string(),
    instance: z.string(),
    labels,
    place: z.number().describe('0..100: in a staged release whose share is above this'),
    version: whole,
    globalVersion: whole,
    source: z.enum(['store', 'local-copy', 'none']),
    problem: z
      .object({
        kind: z.enum(['schema', 'secret', 'behind', 'local-copy', 'unreadable']),
        message: z.string(),
        version: whole.optional(),
      })
      .optional(),
    sinceMs: z.number(),
  })
  .meta({ id: 'ConfigInstance' }) satisfies Describes<InstanceReport>

export const scopeSummary = z
  .object({
    scope: z.string().describe("a service's name, or * for the layer that all share"),
    latest: whole,
    stable: whole,
    staged: z.object({ version: whole, ...rule }).optional(),
    keys: whole,
    hasSchema: z.boolean(),
    author: z.string(),
    atMs: z.number(),
  })
  .meta({ id: 'ConfigScope' }) satisfies Describes<ScopeSummary>
