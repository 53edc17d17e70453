import { z } from 'zod'
import { errorAnswer } from './answers.ts'
import type { AnswerSpec, Fields, Route, RouteAccess } from './route.ts'

/** A part of a JSON document. */
export type Json = Readonly<Record<string, unknown>>

export interface OpenApiDocument extends Json {
  readonly openapi: '3.1.0'
  readonly info: { readonly title: string; readonly version: string; readonly description: string }
  readonly paths: Readonly<Record<string, Readonly<Record<string, Json>>>>
  readonly components: {
    readonly schemas: Readonly<Record<string, Json>>
    readonly securitySchemes: Json
  }
  /** Of each operation that does not say otherwise. */
  readonly security: readonly Json[]
}

/** The OpenAPI 3.1 document of the routes: made from the schemas that check their requests. */
export function openApiDocument(routes: readonly Route[], version: string): OpenApiDocument {
  const schemas: Record<string, Json> = { Error: schemaOf(errorAnswer, {}) }
  const paths: Record<string, Record<string, Json>> = {}
  for (const route of routes) {
    const operations = paths[route.path] ?? {}
    operations[route.method] = operation(route, schemas)
    paths[route.path] = operations
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Althing: HTTP API of a node',
      version,
      description:
        'Every error has the form `Error`. `outcome` tells of a change that failed whether it may have happened all the same: `none` (it did not) or `unknown` (it may have, or may yet).',
    },
    paths,
    components: { schemas, securitySchemes },
    // The last: nobody needs to sign in while access control is off.
    security: [{ token: [] }, { password: [] }, {}],
  }
}

const securitySchemes = {
  token: { type: 'http', scheme: 'bearer' },
  password: { type: 'http', scheme: 'basic' },
}

const who: Readonly<Record<RouteAccess, string>> = {
  open: 'Anybody may ask.',
  caller: 'Whoever has signed in may ask; what it may see and change depends on the keys.',
  overview: 'Who may read every key, and operators.',
  operator: 'Operators only (the right `admin`).',
}

function operation(route: Route, schemas: Record<string, Json>): Json {
  const parameters = [
    ...parametersOf('path', route.params, schemas),
    ...parametersOf('query', route.query, schemas),
  ]
  return {
    operationId: route.id,
    tags: [route.tag],
    summary: route.summary,
    description: [route.description, who[route.access ?? 'caller']]
      .filter((part) => part !== undefined)
      .join(' '),
    ...(route.access === 'open' ? { security: [] } : {}),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(route.body === undefined ? {} : { requestBody: requestBody(route.body, schemas) }),
    responses: responsesOf(route, schemas),
  }
}

function parametersOf(
  where: 'path' | 'query',
  fields: Fields | undefined,
  schemas: Record<string, Json>,
): Json[] {
  if (fields === undefined) return []
  return Object.entries(fields.shape).map(([name, field]) => {
    const { description, ...schema } = schemaOf(field, schemas)
    const isOptional = field.safeParse(undefined).success
    return {
      name,
      in: where,
      required: where === 'path' || !isOptional,
      ...(description === undefined ? {} : { description }),
      schema,
    }
  })
}

function requestBody(body: NonNullable<Route['body']>, schemas: Record<string, Json>): Json {
  const description = `At most ${body.bytesMax} bytes`
  const content =
    'json' in body
      ? { 'application/json': { schema: schemaOf(body.json, schemas) } }
      : { 'application/octet-stream': { schema: {} } }
  return { required: true, description, content }
}

function responsesOf(route: Route, schemas: Record<string, Json>): Json {
  const good = { description: 'Done', ...headersOf(route.answer), content: contentOf(route.answer, schemas) }
  const others = Object.entries(route.alsoAnswers ?? {}).map(([status, description]) => [
    status,
    { description, content: contentOf(route.answer, schemas) },
  ])
  const error = {
    description: 'It failed, or was refused',
    content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
  }
  return { 200: good, ...Object.fromEntries(others), default: error }
}

function headersOf(answer: AnswerSpec): Json {
  if (!('headers' in answer)) return {}
  const headers = (answer.headers ?? []).map((name) => [name, { schema: { type: 'string' } }])
  return { headers: Object.fromEntries(headers) }
}

function contentOf(answer: AnswerSpec, schemas: Record<string, Json>): Json {
  if ('media' in answer) return { [answer.media]: { schema: { type: 'string' } } }
  return { 'application/json': { schema: schemaOf(answer.json, schemas) } }
}

/** The schema as JSON Schema; those that have an id go into `schemas` and are referred to. */
function schemaOf(type: z.ZodType, schemas: Record<string, Json>): Json {
  const {
    $schema: _,
    $defs,
    ...schema
  } = z.toJSONSchema(type, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ jsonSchema }) => {
      delete jsonSchema.id
    },
  }) as Record<string, unknown>
  for (const [name, each] of Object.entries(($defs ?? {}) as Record<string, Json>))
    schemas[name] = relocated(each)
  const id = z.globalRegistry.get(type)?.id
  if (id === undefined) return relocated(schema)
  schemas[id] = relocated(schema)
  return { $ref: `#/components/schemas/${id}` }
}

/** References into a schema's own `$defs` lead to the document's components instead. */
function relocated(schema: Json): Json {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/$defs/', '"#/components/schemas/')) as Json
}
