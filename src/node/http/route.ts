import type { Context } from 'hono'
import type { z } from 'zod'

export type Method = 'get' | 'put' | 'post' | 'delete'

export type Fields = z.ZodObject<Readonly<Record<string, z.ZodType>>>
type NoFields = z.ZodObject<Record<never, never>>

/**
 * `'open'`: anybody. `'caller'`: whoever has signed in; what it may see and change is decided key by key. `'overview'`: who may read every key, and operators. `'operator'`:
 * who has the right `admin`; each change leaves its lines in the audit log.
 */
export type RouteAccess = 'open' | 'caller' | 'overview' | 'operator'

/** What a handler is given: every part has passed its schema. */
export interface RouteInput<Params extends Fields, Query extends Fields, Body> {
  readonly params: z.output<Params>
  readonly query: z.output<Query>
  readonly body: Body
  /** Fires when the caller has gone away. */
  readonly signal: AbortSignal
  readonly context: Context
}

/** The body a route takes: nothing, a JSON value, or any bytes. */
export type BodySpec = { readonly json: z.ZodType; readonly bytesMax: number } | { readonly bytesMax: number }

/** What a route answers with status 200: a JSON value, or something else under a media type of its own. */
export type AnswerSpec =
  | { readonly json: z.ZodType; readonly headers?: readonly string[] }
  | { readonly media: string }

/**
 * One operation of the API: what it takes, what it answers, and what it does. The router and the OpenAPI document are made from the same list of
 * these, so that neither can say what the other does not.
 */
export interface Route {
  readonly method: Method
  /** As in OpenAPI: `/api/v1/kv/{key}`. A parameter is one segment, or, as the last one, all the rest of the path. */
  readonly path: string
  readonly id: string
  readonly tag: string
  readonly summary: string
  readonly description?: string
  readonly params?: Fields
  readonly query?: Fields
  readonly body?: BodySpec
  readonly answer: AnswerSpec
  /** The route answers with this status too, with the same body. */
  readonly alsoAnswers?: Readonly<Record<number, string>>
  /** Changes nothing, although its method is not GET. */
  readonly isRead?: boolean
  /** Each call leaves its lines in the audit log, as every change by an `operator` route does. */
  readonly isAudited?: boolean
  /** Who may ask for it, while access control is on (default `'caller'`). */
  readonly access?: RouteAccess
  handle(input: RouteInput<Fields, Fields, unknown>): Promise<unknown>
}

interface TypedRoute<Params extends Fields, Query extends Fields, Body> extends Omit<Route, 'handle'> {
  readonly params?: Params
  readonly query?: Query
  /** A `Response` goes out as it is; any other value as JSON. */
  handle(input: RouteInput<Params, Query, Body>): Promise<unknown>
}

/** A route whose body is JSON of the given schema. */
export function jsonRoute<
  Body extends z.ZodType,
  Params extends Fields = NoFields,
  Query extends Fields = NoFields,
>(
  route: Omit<TypedRoute<Params, Query, z.output<Body>>, 'body'> & {
    readonly body: { readonly json: Body; readonly bytesMax: number }
  },
): Route {
  return route as unknown as Route
}

/** A route whose body is bytes. */
export function bytesRoute<Params extends Fields = NoFields, Query extends Fields = NoFields>(
  route: TypedRoute<Params, Query, Uint8Array> & { readonly body: { readonly bytesMax: number } },
): Route {
  return route as unknown as Route
}

/** A route without a body. */
export function plainRoute<Params extends Fields = NoFields, Query extends Fields = NoFields>(
  route: Omit<TypedRoute<Params, Query, undefined>, 'body'>,
): Route {
  return route as unknown as Route
}
