import { z } from 'zod'
import { invalidArgument } from '../../../contracts/errors.ts'
import type { ConfigWriteOptions } from '../../../coordination/config/config-writer.ts'
import type { JsonSchema } from '../../../coordination/config/json-schema.ts'
import * as answers from '../config-answers.ts'
import { wholeField } from '../fields.ts'
import { callOptions, callTimeoutMs, type HttpContext } from '../http-context.ts'
import { NodeConfig } from '../node-config.ts'
import { jsonRoute, plainRoute, type Route } from '../route.ts'

const tag = 'config'
const bodyBytesMax = 1_024 * 1_024

const scopeParams = z.object({
  scope: z.string().min(1).describe("a service's name, or * for the layer that all services share"),
})

const signature = {
  author: z
    .string()
    .optional()
    .describe('stands in the history; needed unless access control says who calls, who is then named too'),
  message: z.string().optional(),
  expectedVersion: z
    .number()
    .int()
    .min(0)
    .optional()
    .describe('only if this is the newest version still (0: none yet), else `conflict`'),
}

const ruleFields = {
  share: z.number().optional().describe('percent of the instances'),
  match: z.record(z.string(), z.string()).optional().describe('instances that have all these labels'),
}

const releaseField = z
  .strictObject(ruleFields)
  .optional()
  .describe('stage the version: only these instances run it until it is promoted')

/** The config centre. Every answer masks secrets: a node has no way to reveal one over HTTP. */
export function configRoutes(http: HttpContext): Route[] {
  const config = new NodeConfig(http)
  return [
    ...scopeRoutes(config),
    ...versionRoutes(config),
    changeRoute(config),
    schemaRoute(config),
    rollbackRoute(config),
    ...releaseRoutes(config),
  ]
}

function scopeRoutes(config: NodeConfig): Route[] {
  return [
    plainRoute({
      method: 'get',
      path: '/api/v1/config',
      id: 'listConfigs',
      tag,
      summary: 'Every scope that has a configuration, the layer that all share first',
      answer: { json: z.array(answers.scopeSummary) },
      handle: ({ signal }) => config.service.list(callOptions(signal)),
    }),
    plainRoute({
      method: 'get',
      path: '/api/v1/config/{scope}',
      id: 'getConfig',
      tag,
      summary: 'A scope as it stands: the version of all, the one being released if there is one, the schema',
      params: scopeParams,
      answer: { json: answers.configDocument },
      handle: ({ params, signal }) => config.service.get(params.scope, callOptions(signal)),
    }),
    plainRoute({
      method: 'get',
      path: '/api/v1/config/{scope}/effective',
      id: 'getEffectiveConfig',
      tag,
      summary: 'What the service, or one of its instances, runs now, and which layer each value comes from',
      params: scopeParams,
      query: z.object({
        instance: z.string().optional(),
        labels: labelsField.optional().describe('of the instance: name=value,name=value'),
      }),
      answer: { json: answers.effectiveConfig },
      handle: ({ params, query, signal }) =>
        config.service.effective(params.scope, { ...callOptions(signal), ...given(query) }),
    }),
    plainRoute({
      method: 'get',
      path: '/api/v1/config/{scope}/instances',
      id: 'listConfigInstances',
      tag,
      summary: 'Which instance runs which version, as each says itself; of * those of all services',
      params: scopeParams,
      answer: { json: z.array(answers.instanceReport) },
      handle: ({ params, signal }) => config.service.instances(params.scope, callOptions(signal)),
    }),
  ]
}

function versionRoutes(config: NodeConfig): Route[] {
  return [
    plainRoute({
      method: 'get',
      path: '/api/v1/config/{scope}/history',
      id: 'getConfigHistory',
      tag,
      summary: 'Who made which version, when and why; the newest first',
      params: scopeParams,
      query: z.object({
        limit: wholeField.optional().describe('1..1000, default 20'),
        before: wholeField.optional().describe('only versions below this'),
      }),
      answer: { json: z.array(answers.historyItem) },
      handle: ({ params, query, signal }) =>
        config.service.history(params.scope, { ...callOptions(signal), ...given(query) }),
    }),
    plainRoute({
      method: 'get',
      path: '/api/v1/config/{scope}/versions/{version}',
      id: 'getConfigVersion',
      tag,
      summary: 'One version with its values; `not-found` when it is not kept',
      params: scopeParams.extend({ version: wholeField }),
      answer: { json: answers.configVersion },
      handle: ({ params, signal }) =>
        config.service.version(params.scope, params.version, callOptions(signal)),
    }),
    plainRoute({
      method: 'get',
      path: '/api/v1/config/{scope}/diff',
      id: 'diffConfig',
      tag,
      summary: 'What changed from one version to another; version 0 is the empty one',
      params: scopeParams,
      query: z.object({ from: wholeField, to: wholeField }),
      answer: { json: z.array(answers.configDifference) },
      handle: ({ params, query, signal }) =>
        config.service.diff(params.scope, query.from, query.to, callOptions(signal)),
    }),
  ]
}

function changeRoute(config: NodeConfig): Route {
  return jsonRoute({
    method: 'post',
    path: '/api/v1/config/{scope}/change',
    id: 'changeConfig',
    tag,
    summary: 'Makes a version with these values set and taken away, in one step',
    description:
      'A value that does not fit the schema is refused: `details.field` names it, `details.issues` lists all that is wrong. Secrets need the master keys in the environment of the node.',
    params: scopeParams,
    body: {
      json: z.strictObject({
        set: z.record(z.string(), z.unknown()).optional(),
        unset: z.array(z.string()).optional(),
        secret: z.array(z.string()).optional().describe('those of `set` to be sealed'),
        instance: z.string().optional().describe("the layer of this instance in place of the service's"),
        release: releaseField,
        ...signature,
      }),
      bytesMax: bodyBytesMax,
    },
    answer: { json: answers.configDocument },
    handle: ({ params, body }) => {
      const { set, unset, secret, instance, release, ...rest } = body
      const change = given({ set, unset, secret, instance })
      return config.service.change(params.scope, change, {
        ...signed(config, rest),
        ...releaseOf(release),
      })
    },
  })
}

function schemaRoute(config: NodeConfig): Route {
  return jsonRoute({
    method: 'put',
    path: '/api/v1/config/{scope}/schema',
    id: 'setConfigSchema',
    tag,
    summary: 'Stores a JSON Schema (2020-12) that every later write must fit, or takes it away',
    params: scopeParams,
    body: {
      json: z.strictObject({ schema: z.record(z.string(), z.unknown()).nullable(), ...signature }),
      bytesMax: bodyBytesMax,
    },
    answer: { json: answers.configDocument },
    handle: ({ params, body: { schema, ...rest } }) =>
      config.service.setSchema(
        params.scope,
        schema === null ? undefined : (schema as JsonSchema),
        signed(config, rest),
      ),
  })
}

function rollbackRoute(config: NodeConfig): Route {
  return jsonRoute({
    method: 'post',
    path: '/api/v1/config/{scope}/rollback',
    id: 'rollbackConfig',
    tag,
    summary: 'Makes a version with exactly the values of an older one, secrets as they were sealed',
    params: scopeParams,
    body: {
      json: z.strictObject({ to: z.number().int().min(1), release: releaseField, ...signature }),
      bytesMax: bodyBytesMax,
    },
    answer: { json: answers.configDocument },
    handle: ({ params, body: { to, release, ...rest } }) =>
      config.service.rollback(params.scope, to, { ...signed(config, rest), ...releaseOf(release) }),
  })
}

function releaseRoutes(config: NodeConfig): Route[] {
  return [
    jsonRoute({
      method: 'post',
      path: '/api/v1/config/{scope}/release',
      id: 'widenConfigRelease',
      tag,
      summary: 'Gives the version that is being released to more instances, never to fewer',
      params: scopeParams,
      body: { json: z.strictObject({ ...ruleFields, ...signature }), bytesMax: bodyBytesMax },
      answer: { json: answers.configDocument },
      handle: ({ params, body: { share, match, ...rest } }) =>
        config.service.release(params.scope, given({ share, match }), signed(config, rest)),
    }),
    ...(['promote', 'abort'] as const).map((end) =>
      jsonRoute({
        method: 'post',
        path: `/api/v1/config/{scope}/${end}`,
        id: `${end}ConfigRelease`,
        tag,
        summary:
          end === 'promote'
            ? 'Gives the version that is being released to all'
            : 'Takes the version that is being released back, under a new number',
        params: scopeParams,
        body: { json: z.strictObject(signature), bytesMax: bodyBytesMax },
        answer: { json: answers.configDocument },
        handle: ({ params, body }) => config.service[end](params.scope, signed(config, body)),
      }),
    ),
  ]
}

const labelsField = z
  .string()
  .regex(/^[^=,]+=[^=,]*(,[^=,]+=[^=,]*)*$/, 'labels such as zone=north,disk=ssd')
  .transform(
    (text): Record<string, string> =>
      Object.fromEntries(text.split(',').map((pair) => pair.split('=') as [string, string])),
  )

interface Signature {
  readonly author?: string | undefined
  readonly message?: string | undefined
  readonly expectedVersion?: number | undefined
}

/** Throws `invalid-argument` where nobody is named. */
function signed(config: NodeConfig, { author, ...rest }: Signature): ConfigWriteOptions {
  const name = config.authorOf(author)
  if (name === undefined) throw invalidArgument('author', author, 'who makes the change: 1..128 characters')
  return { author: name, timeoutMs: callTimeoutMs, ...given(rest) }
}

function releaseOf(release: z.output<typeof releaseField>): {
  readonly release?: { readonly share?: number; readonly match?: Readonly<Record<string, string>> }
} {
  return release === undefined ? {} : { release: given(release) }
}

type Given<T> = { [Key in keyof T]?: Exclude<T[Key], undefined> }

/** Without the fields that were not given: the options of the recipes have none that are `undefined`. */
function given<T extends object>(fields: T): Given<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Given<T>
}
