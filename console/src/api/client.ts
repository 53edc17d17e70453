// The node's HTTP API, as far as the console uses it. Failed calls reject with ApiError.
import type {
  CreatedGroup,
  CronOverview,
  CronRecord,
  Finding,
  GroupView,
  Invitation,
  KeysReply,
  Login,
  MemberList,
  NodeStatus,
  ProcessAction,
  ProcessStatus,
} from './types.ts'

const base = '/api/v1'

/** No call waits longer: a paused node accepts connections and never answers. */
const callTimeoutMs = 8_000

export class ApiError extends Error {
  override readonly name = 'ApiError'
  /** The node's error code, or `unreachable` when no answer came. */
  readonly code: string
  /** `unknown`: the change may have been made all the same. */
  readonly outcome: string | undefined
  readonly details: Readonly<Record<string, unknown>>

  constructor(
    code: string,
    message: string,
    outcome?: string,
    details: Readonly<Record<string, unknown>> = {},
  ) {
    super(message)
    this.code = code
    this.outcome = outcome
    this.details = details
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
  forceRelease(
    kind: 'locks' | 'semaphores',
    name: string,
    order: { readonly by: string; readonly reason: string; readonly token: number },
  ): Promise<unknown> {
    const search = new URLSearchParams({ ...order, token: String(order.token) })
    return call('DELETE', `/${kind}/${encodeURIComponent(name)}?${search}`)
  },

  /** `null` takes back what an operator has set. */
  setLimit: (
    name: string,
    order: { readonly limit: number | null; readonly by: string; readonly reason: string },
  ) => callJson('PUT', `/semaphores/${encodeURIComponent(name)}/limit`, order),

  processAction: (name: string, action: ProcessAction) =>
    call('POST', `/local/processes/${encodeURIComponent(name)}/${action}`) as Promise<ProcessStatus>,

  isolate: (node: number, isolated: boolean) => callJson('POST', '/local/partition', { node, isolated }),

  live: () => new EventSource(`${base}/live`),
  /** Why there are no live events. Resolves when there are. */
  async whyNotLive(): Promise<void> {
    const ended = new AbortController()
    const response = await fetch(`${base}/live`, { signal: ended.signal })
    try {
      if (!response.ok) throw errorOf(response.status, await response.text())
    } finally {
      ended.abort()
    }
  },

  login: () => get<Login>('/login'),
  signIn: (authorization: string) => call('POST', '/login', undefined, { authorization }) as Promise<Login>,
  signOut: () => call('DELETE', '/login'),

  doctor: () => get<{ readonly findings: readonly Finding[] }>('/doctor'),

  members: () => get<MemberList>('/members'),
  invite: (request: { readonly address?: string; readonly learner?: boolean }) =>
    callJson('POST', '/members', request) as Promise<Invitation>,
  replaceMember: (id: number, request: { readonly address?: string }) =>
    callJson('POST', `/members/${id}/replace`, request) as Promise<Invitation>,
  removeMember: (id: number) => call('DELETE', `/members/${id}`) as Promise<{ readonly isRemoved: boolean }>,
  memberAction: (id: number, action: MemberAction) => call('POST', `/members/${id}/${action}`),

  groups: () => get<readonly GroupView[]>('/groups'),
  createGroup: (name: string, replicas: number) =>
    callJson('POST', '/groups', { name, replicas }) as Promise<CreatedGroup>,
  schedules: () => get<readonly CronOverview[]>('/cron'),
  scheduleHistory: (name: string, limit: number) =>
    get<readonly CronRecord[]>(`${schedulePath(name)}/history?limit=${limit}`),
  pauseSchedule: (name: string, by: string, reason?: string) =>
    callJson('POST', `${schedulePath(name)}/pause`, { by, ...(reason === undefined ? {} : { reason }) }),
  resumeSchedule: (name: string) => call('POST', `${schedulePath(name)}/resume`),
  /** Returns the id of the run. */
  runSchedule: (name: string) =>
    call('POST', `${schedulePath(name)}/run`) as Promise<{ readonly id: string }>,

  removeGroup: (name: string) => call('DELETE', `/groups/${encodeURIComponent(name)}`),
}

export type MemberAction = 'drain' | 'undrain' | 'lead' | 'promote'

function schedulePath(name: string): string {
  return `/cron/${encodeURIComponent(name)}`
}

function keyPath(key: string): string {
  return `/kv/${encodeURIComponent(key)}`
}

function revisionCondition(ifRevision: number | undefined): string {
  return ifRevision === undefined ? '' : `?ifRevision=${ifRevision}`
}

export function get<Reply>(path: string, signal?: AbortSignal): Promise<Reply> {
  return call('GET', path, undefined, {}, signal) as Promise<Reply>
}

export function callJson(method: string, path: string, body: unknown): Promise<unknown> {
  return call(method, path, JSON.stringify(body), { 'content-type': 'application/json' })
}

/** Shows a node that a page of its own asks: other sites' pages cannot add it. */
const pageHeader = { 'x-althing-console': '1' }

async function call(
  method: string,
  path: string,
  body?: string,
  headers: Readonly<Record<string, string>> = {},
  signal?: AbortSignal,
): Promise<unknown> {
  const deadline = AbortSignal.timeout(callTimeoutMs)
  const init: RequestInit = {
    method,
    signal: signal === undefined ? deadline : AbortSignal.any([signal, deadline]),
    headers: {
      ...(body === undefined ? {} : { 'content-type': 'application/octet-stream' }),
      ...pageHeader,
      ...headers,
    },
    ...(body === undefined ? {} : { body }),
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
    | {
        readonly error?: {
          readonly code?: string
          readonly message?: string
          readonly outcome?: string
          readonly details?: Readonly<Record<string, unknown>>
        }
      }
    | undefined
  const { code = `http-${status}`, message = text.slice(0, 300), outcome, details } = reply?.error ?? {}
  return new ApiError(code, message, outcome, details)
}
