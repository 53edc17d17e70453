import type { Context } from 'hono'
import type { z } from 'zod'
import { AlthingError } from '../../contracts/errors.ts'
import type { BodySpec, Fields, Route, RouteInput } from './route.ts'

/** Reads and checks all that the route takes. Rejects with `invalid-argument` or `too-large`; nothing has been done then. */
export async function readInput(
  route: Route,
  context: Context,
): Promise<RouteInput<Fields, Fields, unknown>> {
  const url = new URL(context.req.url)
  const params = parse('path', route.params, pathParams(route.path, url.pathname))
  const query = parse('query', route.query, queryFields(url.searchParams))
  const body = route.body === undefined ? undefined : await readBody(route.body, context.req.raw)
  return { params, query, body, signal: context.req.raw.signal, context } as RouteInput<
    Fields,
    Fields,
    unknown
  >
}

/** The path as hono has matched it, decoded strictly: text that is not valid is refused, not passed on as it stands. */
export function pathParams(pattern: string, pathname: string): Record<string, string> {
  const names = pattern.split('/')
  const parts = pathname.split('/')
  const params: Record<string, string> = {}
  names.forEach((name, i) => {
    if (!name.startsWith('{')) return
    const raw = i === names.length - 1 ? parts.slice(i).join('/') : (parts[i] ?? '')
    params[name.slice(1, -1)] = decode(raw)
  })
  return params
}

function decode(raw: string): string {
  try {
    return decodeURIComponent(raw)
  } catch {
    throw refused('path', `${raw} is not URL-encoded UTF-8`)
  }
}

function queryFields(search: URLSearchParams): Record<string, string> {
  const fields: Record<string, string> = {}
  for (const [name, value] of search) {
    if (Object.hasOwn(fields, name)) throw refused(name, `${name} is given twice`)
    fields[name] = value
  }
  return fields
}

async function readBody(spec: BodySpec, request: Request): Promise<unknown> {
  const bytes = await readBytes(request, spec.bytesMax)
  if (!('json' in spec)) return bytes
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw refused('body', `the body is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`)
  }
  return parse('body', spec.json, value)
}

/** Stops reading at the first byte too many. */
async function readBytes(request: Request, bytesMax: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let length = 0
  if (Number(request.headers.get('content-length') ?? 0) > bytesMax) throw tooLarge(bytesMax)
  if (request.body === null) return new Uint8Array()
  for await (const chunk of request.body) {
    length += chunk.byteLength
    if (length > bytesMax) throw tooLarge(bytesMax)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function parse(where: string, schema: z.ZodType | undefined, given: unknown): unknown {
  if (schema === undefined) return {}
  const result = schema.safeParse(given)
  if (result.success) return result.data
  const issues = result.error.issues.map(({ path, message }) => {
    const field = path.length === 0 ? where : path.join('.')
    return `${field}: ${message}`
  })
  const [first] = result.error.issues
  throw refused(
    first === undefined || first.path.length === 0 ? where : first.path.join('.'),
    issues.join('; '),
  )
}

function refused(field: string, message: string): AlthingError {
  return new AlthingError('invalid-argument', message, { outcome: 'none', details: { field } })
}

function tooLarge(bytesMax: number): AlthingError {
  return new AlthingError('too-large', `the body is over ${bytesMax} bytes`, {
    outcome: 'none',
    details: { bytesMax },
  })
}
