import { Packr } from 'msgpackr'
import type { Credentials } from '../../access/access-control.ts'
import { AlthingError, type ErrorJson, errorFromJson } from '../../contracts/errors.ts'
import type { LeaseGrant } from '../../contracts/store.ts'
import type { Member } from '../../replication/peer-transport.ts'

/**
 * The protocol between a client and a node, and between two nodes when one forwards a call. A connection starts with one {@link Hello} from the
 * side that dialled, answered by a {@link Welcome} (to a client) or by nothing (to a peer: raft messages follow). Then the client sends requests,
 * and the node sends replies, in any order; a watch is a request with many replies.
 *
 *     request   [id, method, timeoutMs, flags, body]
 *     reply     [id, status, body]
 *
 * Every frame is one MessagePack value.
 */
export const protocolVersion = 1

const packr = new Packr({ useRecords: false, int64AsType: 'number' })

export const methods = {
  /** body: an encoded StoreCommand; reply: a StoreReply */
  mutate: 1,
  /** body: [RangeRequest, consistency]; reply: a RangeReply */
  range: 2,
  /** body: lease, or a list of them; reply: [lease, ttlMs], or a list of those or of errors (`encodeRenewal`) */
  keepLeaseAlive: 3,
  /** body: [consistency, after, limit]; reply: [lease statuses, more]. Version 1: the consistency alone, and all statuses at once. */
  leases: 4,
  /** body: a WatchRequest; replies: watch batches, with status `more` */
  watch: 5,
  /** body: the id of the watch's request; no reply */
  cancel: 6,
  /** body: nothing; reply: a NodeStatus as plain data */
  status: 7,
  /** body: member id to lead; reply: nothing */
  transferLeadership: 8,
  /** body: member ids to cut this node off from (fault drill); reply: nothing */
  block: 9,
  /** body: nothing; reply: nothing. Shows that the node still answers. */
  ping: 10,
  /** body: [name, argument]; reply: what the call of that name answers ({@link OperatorCall}). For operators: rare, and checked by name. */
  operate: 11,
  /** body: [an encoded StoreCommand, consistency]: a transaction that only reads; reply: a StoreReply */
  readTxn: 12,
} as const

export type Method = (typeof methods)[keyof typeof methods]

export const replyStatus = {
  /** The last reply of the request. */
  ok: 0,
  /** The last reply: an error. */
  error: 1,
  /** A reply that others follow. */
  more: 2,
  /** Sent with id 0, unasked: the leader changed. body: member id, 0 for none. */
  leader: 3,
  /** Sent with id 0, unasked: the members changed. body: as in the welcome, [version, members]. Older clients pass it over. */
  members: 4,
} as const

/** A caller that waits for ever waits for 49 days. */
const timeoutMsMax = 2 ** 32 - 1

/** Set when a node forwards a request: the receiver must not forward it again. */
export const forwardedFlag = 1
/** Set by a node that speaks for a caller: the body is `[PrincipalRef, body]`. */
export const speaksForFlag = 2

export interface Request {
  readonly id: number
  readonly method: number
  readonly timeoutMs: number
  readonly flags: number
  readonly body: unknown
}

export type Reply = readonly [id: number, status: number, body: unknown]

export interface Hello {
  readonly kind: 'client' | 'peer'
  /** Empty from a client that does not know it yet. */
  readonly clusterId: string
  /** The member that dials; 0 from a client. */
  readonly from: number
  /** Newest version of the messages between nodes that the caller speaks; absent: 1. */
  readonly peerVersion?: number
  /** From a peer: drawn when its data folder was made. A member that comes back with another one has lost what it had promised. */
  readonly storageId?: string
  /** From a peer: where it listens, for one that is new and knows nobody yet. */
  readonly address?: string
  /** From a client: the name of the group whose store it wants; absent: the cluster's own. */
  readonly group?: string
  /** What a client shows of itself. */
  readonly credentials?: Credentials
  /** For whom a node speaks on this connection, always: a `PrincipalRef`. */
  readonly as?: unknown
}

/** What a node tells a client first. */
export interface Welcome {
  readonly clusterId: string
  readonly nodeId: number
  readonly members: readonly Member[]
  /** 0: none known. */
  readonly leader: number
  /** Index of the log entry that says who the members are, so that older word can be told from newer; absent: not told. */
  readonly membersVersion?: number
}

export function encodeHello(hello: Hello): Uint8Array {
  const { kind, clusterId, from, ...more } = hello
  // In the sixth place, which the first version did not have and does not look at.
  return packr.pack(['althing', protocolVersion, kind === 'peer' ? 1 : 0, clusterId, from, more])
}

/** Throws `incompatible-peer` or `corrupt`. Whether what the caller shows is true is for access control to say. */
export function decodeHello(frame: Uint8Array): Hello {
  const [name, version, kind, clusterId, from, more] = decodeArray(frame)
  if (name !== 'althing')
    throw new AlthingError('incompatible-peer', 'the caller does not speak the Althing protocol')
  if (version !== protocolVersion) {
    throw new AlthingError(
      'incompatible-peer',
      `the caller speaks protocol version ${String(version)}, this node ${protocolVersion}`,
    )
  }
  if ((kind !== 0 && kind !== 1) || typeof clusterId !== 'string' || !isWhole(from)) throw malformed('hello')
  return { kind: kind === 1 ? 'peer' : 'client', clusterId, from, ...decodeGreeting(more) }
}

/** Members of a later version are passed over. */
function decodeGreeting(more: unknown): Omit<Hello, 'kind' | 'clusterId' | 'from'> {
  if (typeof more !== 'object' || more === null) return {}
  const { peerVersion, storageId, address, group, credentials, as } = more as Readonly<
    Record<string, unknown>
  >
  return {
    ...(isWhole(peerVersion) ? { peerVersion } : {}),
    ...(typeof storageId === 'string' ? { storageId } : {}),
    ...(typeof address === 'string' ? { address } : {}),
    ...(typeof group === 'string' ? { group } : {}),
    ...(typeof credentials === 'object' && credentials !== null
      ? { credentials: decodeCredentials(credentials as Readonly<Record<string, unknown>>) }
      : {}),
    ...(as === undefined ? {} : { as }),
  }
}

function decodeCredentials(wire: Readonly<Record<string, unknown>>): Credentials {
  const { token, user, password, nodeKey } = wire
  return {
    ...(typeof token === 'string' ? { token } : {}),
    ...(typeof user === 'string' ? { user } : {}),
    ...(typeof password === 'string' ? { password } : {}),
    ...(typeof nodeKey === 'string' ? { nodeKey } : {}),
  }
}

export function encodeWelcome(welcome: Welcome): Uint8Array {
  const members = welcome.members.map((member) => [member.id, member.address])
  const { clusterId, nodeId, leader, membersVersion = 0 } = welcome
  // The sixth place did not exist in the first version, and was not looked at.
  return packr.pack([protocolVersion, clusterId, nodeId, members, leader, membersVersion])
}

/** The body of a reply with status `members`. */
export function encodeMembers(members: readonly Member[], version: number): unknown {
  return [version, members.map((member) => [member.id, member.address])]
}

/** Throws `corrupt`. */
export function decodeMembers(body: unknown): {
  readonly members: readonly Member[]
  readonly version: number
} {
  if (!Array.isArray(body) || !isWhole(body[0]) || !Array.isArray(body[1])) throw malformed('members')
  return { version: body[0], members: (body[1] as unknown[]).map(decodeMember) }
}

/** What a caller is told in place of a {@link Welcome} that has shown a token or password which is not valid. */
export function encodeRefusal(error: AlthingError): Uint8Array {
  return encodeReply(0, replyStatus.error, encodeError(error))
}

/** Throws what the node refuses the caller for, or `incompatible-peer`, or `corrupt`. */
export function decodeWelcome(frame: Uint8Array): Welcome {
  const [version, clusterId, nodeId, members, leader, membersVersion] = decodeArray(frame)
  if (version === 0 && clusterId === replyStatus.error) throw decodeError(nodeId)
  if (version !== protocolVersion) {
    throw new AlthingError(
      'incompatible-peer',
      `the node speaks protocol version ${String(version)}, this client ${protocolVersion}`,
    )
  }
  if (typeof clusterId !== 'string' || !isWhole(nodeId) || !Array.isArray(members) || !isWhole(leader))
    throw malformed('welcome')
  const welcome = { clusterId, nodeId, members: members.map(decodeMember), leader }
  return isWhole(membersVersion) && membersVersion > 0 ? { ...welcome, membersVersion } : welcome
}

function decodeMember(item: unknown): Member {
  if (!Array.isArray(item) || !isWhole(item[0]) || typeof item[1] !== 'string') throw malformed('member')
  return { id: item[0], address: item[1] }
}

export function encodeRequest(
  id: number,
  method: Method,
  timeoutMs: number,
  flags: number,
  body: unknown,
): Uint8Array {
  return packr.pack([id, method, Math.min(Math.ceil(timeoutMs), timeoutMsMax), flags, body])
}

/** Throws `corrupt`: the connection it came on is then closed. */
export function decodeRequest(frame: Uint8Array): Request {
  const [id, method, timeoutMs, flags, body] = decodeArray(frame)
  if (!isWhole(id) || id === 0 || !isWhole(method) || !isWhole(timeoutMs) || !isWhole(flags))
    throw malformed('request')
  return { id, method, timeoutMs, flags, body }
}

export function encodeReply(id: number, status: number, body: unknown): Uint8Array {
  return packr.pack([id, status, body])
}

/** A reply whose body was encoded before ({@link encodeBody}), and may go to others too. */
export function encodeReplyAround(id: number, status: number, body: Uint8Array): Uint8Array {
  // MessagePack: an array of 3 elements is a byte and then the three.
  const head = packr.pack([id, status, null])
  const frame = Buffer.allocUnsafe(head.byteLength - 1 + body.byteLength)
  head.copy(frame, 0, 0, head.byteLength - 1)
  frame.set(body, head.byteLength - 1)
  return frame
}

/** The body of a reply by itself. */
export function encodeBody(body: unknown): Uint8Array {
  return packr.pack(body)
}

/** What became of one lease of a list to renew. */
export function encodeRenewal(result: LeaseGrant | AlthingError): unknown {
  return result instanceof AlthingError ? encodeError(result) : [result.lease, result.ttlMs]
}

/** Throws `corrupt`. */
export function decodeRenewals(wire: unknown): readonly (LeaseGrant | AlthingError)[] {
  if (!Array.isArray(wire)) throw malformed('lease grants')
  return wire.map(decodeRenewal)
}

function decodeRenewal(wire: unknown): LeaseGrant | AlthingError {
  if (typeof wire === 'string') return decodeError(wire)
  if (!Array.isArray(wire) || !isWhole(wire[0]) || !isWhole(wire[1])) throw malformed('lease grant')
  return { lease: wire[0], ttlMs: wire[1] }
}

export function decodeReply(frame: Uint8Array): Reply {
  const reply = decodeArray(frame)
  if (reply.length !== 3 || !isWhole(reply[0]) || !isWhole(reply[1])) throw malformed('reply')
  return reply as unknown as Reply
}

export function encodeError(error: AlthingError): unknown {
  return JSON.stringify(error)
}

export function decodeError(body: unknown): AlthingError {
  try {
    const json: unknown = JSON.parse(String(body))
    const hasForm = typeof json === 'object' && json !== null && 'code' in json && 'message' in json
    if (hasForm) return errorFromJson(json as ErrorJson)
  } catch {
    // Reported below: whatever it was, it is not an error of this protocol.
  }
  return malformed('error')
}

function decodeArray(frame: Uint8Array): readonly unknown[] {
  let value: unknown
  try {
    value = packr.unpack(frame)
  } catch (cause) {
    throw new AlthingError('corrupt', 'a frame is not MessagePack', { cause })
  }
  if (!Array.isArray(value)) throw malformed('frame')
  return value
}

export function malformed(what: string): AlthingError {
  return new AlthingError('corrupt', `malformed ${what}`)
}

function isWhole(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
