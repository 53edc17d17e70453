import { Packr } from 'msgpackr'
import { AlthingError } from '../../contracts/errors.ts'
import { tagBytes, utf8Bytes } from './claim.ts'
import {
  type Claim,
  claimStates,
  type Life,
  type MemberDetails,
  membershipLimits,
  type SwimMessage,
} from './types.ts'

/**
 * A message of a member as bytes: one MessagePack array.
 *
 *     [version, type, from, claims, ...body]
 *     claim     [id, incarnation, state, by, details or null]
 *     details   [address, [name, value, name, value, ...], degraded]
 *
 * A receiver passes over what follows the fields that it knows, so that a later version may add some.
 */
export const membershipVersion = 1

const packr = new Packr({ useRecords: false, int64AsType: 'number' })

const typeCodes = {
  ping: 1,
  ack: 2,
  pingRequest: 3,
  nack: 4,
  gossip: 5,
  slow: 6,
  sync: 7,
  page: 8,
} as const satisfies Record<SwimMessage['type'], number>

/** Claims that one message may hold: more than fit into a datagram. */
const claimsMax = 16_384
const seqMax = 2 ** 32
const scoreMax = 1_000

export function encodeSwimMessage(message: SwimMessage): Uint8Array {
  const { type, from, claims } = message
  return packr.pack([membershipVersion, typeCodes[type], from, claims.map(encodeClaim), ...bodyOf(message)])
}

/** Throws `corrupt` on anything that {@link encodeSwimMessage} does not make. */
export function decodeSwimMessage(bytes: Uint8Array): SwimMessage {
  try {
    const [version, type, from, claims, ...body] = arrayOf(packr.unpack(bytes))
    if (version !== membershipVersion) throw new Error('unknown version')
    const head = { from: idOf(from), claims: claimsOf(claims) }
    return bodyFrom(type, head, body)
  } catch (cause) {
    throw new AlthingError('corrupt', 'malformed message of a member', { cause })
  }
}

function encodeClaim({ id, incarnation, state, by, details }: Claim): unknown {
  return [
    id,
    incarnation,
    claimStates.indexOf(state),
    by,
    details === undefined ? null : encodeDetails(details),
  ]
}

function encodeDetails({ address, tags, degraded }: MemberDetails): unknown {
  return [address, Object.entries(tags).flat(), degraded]
}

function bodyOf(message: SwimMessage): readonly unknown[] {
  switch (message.type) {
    case 'ping':
      return [message.seq, message.to, message.score, ...encodeLife(message.life)]
    case 'ack':
      return [message.seq, message.score, ...encodeLife(message.life)]
    case 'pingRequest':
      return [message.seq, message.target, message.targetAddress]
    case 'nack':
      return [message.seq]
    case 'gossip':
      return []
    case 'slow':
      return [message.roundTripMs]
    case 'sync':
      return [message.digest]
    case 'page':
      return [message.wantsBack]
  }
}

function encodeLife(life: Life | undefined): readonly number[] {
  return life === undefined ? [] : [life.since, life.draw]
}

function lifeOf(since: unknown, draw: unknown): { readonly life?: Life } {
  if (since === undefined) return {}
  return { life: { since: whole(since, membershipLimits.incarnationMax), draw: whole(draw, 2 ** 32) } }
}

type Head = Pick<SwimMessage, 'from' | 'claims'>

function bodyFrom(type: unknown, head: Head, body: readonly unknown[]): SwimMessage {
  const [first, second, third, fourth, fifth] = body
  switch (type) {
    case typeCodes.ping:
      return {
        type: 'ping',
        ...head,
        seq: whole(first, seqMax),
        to: idOf(second),
        score: whole(third, scoreMax),
        ...lifeOf(fourth, fifth),
      }
    case typeCodes.ack:
      return {
        type: 'ack',
        ...head,
        seq: whole(first, seqMax),
        score: whole(second, scoreMax),
        ...lifeOf(third, fourth),
      }
    case typeCodes.pingRequest: {
      const targetAddress = textOf(third, 1, membershipLimits.addressBytesMax)
      return { type: 'pingRequest', ...head, seq: whole(first, seqMax), target: idOf(second), targetAddress }
    }
    case typeCodes.nack:
      return { type: 'nack', ...head, seq: whole(first, seqMax) }
    case typeCodes.gossip:
      return { type: 'gossip', ...head }
    case typeCodes.slow:
      return { type: 'slow', ...head, roundTripMs: length(first) }
    case typeCodes.sync:
      return { type: 'sync', ...head, digest: whole(first, 2 ** 32) }
    case typeCodes.page:
      if (typeof first !== 'boolean') throw new Error('not a boolean')
      return { type: 'page', ...head, wantsBack: first }
    default:
      throw new Error('unknown message type')
  }
}

function claimsOf(value: unknown): Claim[] {
  const items = arrayOf(value)
  if (items.length > claimsMax) throw new Error('too many claims')
  return items.map(claimOf)
}

function claimOf(value: unknown): Claim {
  const [id, incarnation, stateCode, by, details] = arrayOf(value)
  const state = claimStates[whole(stateCode, claimStates.length)]
  if (state === undefined) throw new Error('unknown state')
  if (state === 'alive' && details === null) throw new Error('alive without details')
  return {
    id: idOf(id),
    incarnation: whole(incarnation, membershipLimits.incarnationMax),
    state,
    by: textOf(by, 0, membershipLimits.idBytesMax),
    ...(details === null ? {} : { details: detailsOf(details) }),
  }
}

function detailsOf(value: unknown): MemberDetails {
  const [address, tags, degraded] = arrayOf(value)
  return {
    address: textOf(address, 1, membershipLimits.addressBytesMax),
    tags: tagsOf(arrayOf(tags)),
    degraded: textOf(degraded, 0, membershipLimits.degradedBytesMax),
  }
}

function tagsOf(items: readonly unknown[]): Readonly<Record<string, string>> {
  const { tagsMax, tagBytesMax } = membershipLimits
  if (items.length % 2 !== 0 || items.length > 2 * tagsMax) throw new Error('not the tags of a member')
  const texts = items.map((item) => textOf(item, 0, tagBytesMax))
  const names = texts.filter((_, i) => i % 2 === 0)
  const tags = Object.fromEntries(names.map((name, i) => [name, texts[2 * i + 1] as string]))
  if (tagBytes(tags) > tagBytesMax) throw new Error('tags that are too long')
  return tags
}

function arrayOf(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error('not an array')
  return value
}

function idOf(value: unknown): string {
  return textOf(value, 1, membershipLimits.idBytesMax)
}

function textOf(value: unknown, min: number, max: number): string {
  if (typeof value !== 'string') throw new Error('not a text')
  const bytes = utf8Bytes(value)
  if (bytes < min || bytes > max) throw new Error('a text of another length than allowed')
  return value
}

function whole(value: unknown, below: number): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0 || (value as number) >= below)
    throw new Error('not a whole number within its bounds')
  return value as number
}

function length(value: unknown): number {
  if (typeof value !== 'number' || !(value >= 0 && value < 2 ** 40)) throw new Error('not a length of time')
  return value
}
