// The node's HTTP API, as far as the console uses it. Failed calls reject with ApiError.
import type { KeysReply, NodeStatus, ProcessAction, ProcessStatus } from './types.ts'

const base = '/api/v1'

/** No call waits longer: a paused node accepts connections and never answers. */
const callTimeoutMs = 8_000

export class ApiError extends Error {
  override readonly name = 'ApiError'
  /** The node's error code, or `unreachable` when no answer came. */
  readonly code: string
  /** `unknown`: the change may have been made all the same. */
  readonly outcome: string | undefined

  constructor(code: string, message: string, outcome?: string) {
    super(message)
    this.code = code
    this.outcome = outcome
  }
}

export interface KeysQuery {
  readonly prefix: string
  /** The first key of the page. */
  readonly from?: string
  readonly limit: number
  readonly keysOnly?: boolean
  readonly revision?: number
  /** The serving node's own copy: answers without a quorum too. */
  readonly isSerializable?: boolean
}

export const api = {
  status: () => get<NodeStatus>('/status'),
  local: () => get<{ readonly supervised: boolean }>('/local'),

  keys(query: KeysQuery, signal?: AbortSignal): Promise<KeysReply> {
    const { prefix, from, limit, keysOnly, revision, isSerializable } = query
    const search = new URLSearchParams({ prefix, limit: String(limit) })
    if (from !== undefined) search.set('from', from)
    if (keysOnly === true) search.set('keysOnly', 'true')
    if (revision !== undefined) search.set('revision', String(revision))
    if (isSerializable === true) search.set('consistency', 'serializable')
    return get<KeysReply>(`/kv?${search}`, signal)
  },

  /** `ifRevision`: only if the key's last change is of this revision; 0: only if there is no such key. */
  put: (key: string, value: string, ifRevision?: number) =>
    call('PUT', `${keyPath(key)}${revisionCondition(ifRevision)}`, value),

  remove: (key: string, ifRevision?: number) =>
    call('DELETE', `${keyPath(key)}${revisionCondition(ifRevision)}`),

  /** Only if the holder still has this token. */
  forceRelease(name: string, by: string, reason: string, token: number): Promise<unknown> {
    const search = new URLSearchParams({ by, reason, token: String(token) })
    return call('DELETE', `/locks/${encodeURIComponent(name)}?${search}`)
  },

  processAction: (name: string, action: ProcessAction) =>
    call('POST', `/local/processes/${encodeURIComponent(name)}/${action}`) as Promise<ProcessStatus>,

  isolate: (node: number, isolated: boolean) =>
    call('POST', '/local/partition', JSON.stringify({ node, isolated }), 'application/json'),

  live: () => new EventSource(`${base}/live`),
}

function keyPath(key: string): string {
  return `/kv/${encodeURIComponent(key)}`
}

function revisionCondition(ifRevision: number | undefined): string {
  return ifRevision === undefined ? '' : `?ifRevision=${ifRevision}`
}

function get<Reply>(path: string, signal?: AbortSignal): Promise<Reply> {
  return call('GET', path, undefined, undefined, signal) as Promise<Reply>
}

async function call(
  method: string,
  path: string,
  body?: string,
  contentType = 'application/octet-stream',
  signal?: AbortSignal,
): Promise<unknown> {
  const deadline = AbortSignal.timeout(callTimeoutMs)
  const init: RequestInit = {
    method,
    signal: signal === undefined ? deadline : AbortSignal.any([signal, deadline]),
    ...(body === undefined ? {} : { body, headers: { 'content-type': contentType } }),
  }
  let response: Response
  let text: string
  try {
    response = await fetch(`${base}${path}`, init)
    text = await response.text()
  } catch (cause) {
    if (signal?.aborted === true) throw cause
    throw new ApiError('unreachable', '', method === 'GET' ? undefined : 'unknown')
  }
  if (!response.ok) throw errorOf(response.status, text)
  return text === '' ? undefined : parse(text)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function errorOf(status: number, text: string): ApiError {
  const reply = parse(text) as
    | { readonly error?: { readonly code?: string; readonly message?: string; readonly outcome?: string } }
    | undefined
  const { code = `http-${status}`, message = text.slice(0, 300), outcome } = reply?.error ?? {}
  return new ApiError(code, message, outcome)
}
