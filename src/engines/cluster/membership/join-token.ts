import { createHash, timingSafeEqual } from 'node:crypto'
import { AlthingError } from '../../../contracts/errors.ts'
import type { Random } from '../../../contracts/world.ts'
import type { NodeId } from '../../../protocols/raft/types.ts'
import type { Member } from '../../../replication/peer-transport.ts'

/** All that a new machine needs to find the cluster and to be let in, once. Secret. */
export interface JoinToken {
  readonly clusterId: string
  /** The id that it will have. */
  readonly id: NodeId
  /** Good for one join; the cluster keeps only its hash. */
  readonly secret: string
  /** The members when the token was made. */
  readonly members: readonly Member[]
}

const prefix = 'althing-join-1.'

export function encodeJoinToken({ clusterId, id, secret, members }: JoinToken): string {
  const places = members.map((member) => [member.id, member.address])
  return prefix + Buffer.from(JSON.stringify([clusterId, id, secret, places])).toString('base64url')
}

/** Throws `invalid-argument`, without showing the token. */
export function decodeJoinToken(token: string): JoinToken {
  if (!token.startsWith(prefix)) throw invalidToken(`does not begin with ${prefix}`)
  let parts: unknown
  try {
    parts = JSON.parse(Buffer.from(token.slice(prefix.length), 'base64url').toString('utf8'))
  } catch (cause) {
    throw invalidToken('is cut off or altered', cause)
  }
  const [clusterId, id, secret, places] = Array.isArray(parts) ? (parts as unknown[]) : []
  const isWhole =
    typeof clusterId === 'string' && isId(id) && typeof secret === 'string' && Array.isArray(places)
  if (!isWhole || !places.every(isPlace)) throw invalidToken('is cut off or altered')
  return { clusterId, id, secret, members: places.map(([member, address]) => ({ id: member, address })) }
}

/** A new secret for a token. */
export function drawSecret(random: Random): string {
  return Buffer.from(random.bytes(24)).toString('base64url')
}

/** What the cluster keeps of a secret: of random bytes one hash is enough. */
export function hashOfSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}

export function isSecret(secret: string, secretHash: string): boolean {
  return timingSafeEqual(Buffer.from(hashOfSecret(secret)), Buffer.from(secretHash.padEnd(64).slice(0, 64)))
}

function isId(value: unknown): value is NodeId {
  return Number.isSafeInteger(value) && (value as number) > 0
}

function isPlace(value: unknown): value is [NodeId, string] {
  return Array.isArray(value) && isId(value[0]) && typeof value[1] === 'string'
}

function invalidToken(problem: string, cause?: unknown): AlthingError {
  const text = `the join token ${problem}; make a new one with: althing member add`
  return new AlthingError('invalid-argument', text, { outcome: 'none', cause })
}
