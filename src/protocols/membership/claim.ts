import { type Claim, claimStates, type ClaimState, type MemberDetails } from './types.ts'

const rankOf: Readonly<Record<ClaimState, number>> = {
  alive: claimStates.indexOf('alive'),
  suspect: claimStates.indexOf('suspect'),
  failed: claimStates.indexOf('failed'),
  left: claimStates.indexOf('left'),
}

type Stated = Pick<Claim, 'incarnation' | 'state'>

/** > 0: `a` overrules `b`. A total order, so that what holds does not depend on the order in which claims arrive. */
export function compareClaims(a: Stated, b: Stated): number {
  return a.incarnation - b.incarnation || rankOf[a.state] - rankOf[b.state]
}

export function isLive({ state }: { readonly state: ClaimState }): boolean {
  return state === 'alive' || state === 'suspect'
}

/** Bytes that the claim takes in a message, at most: see `message-codec.ts`. */
export function claimBytes({ id, by, details }: Claim): number {
  return 1 + textBytes(id) + 9 + 1 + textBytes(by) + (details === undefined ? 1 : detailsBytes(details))
}

export function tagBytes(tags: Readonly<Record<string, string>>): number {
  let bytes = 0
  for (const [name, value] of Object.entries(tags)) bytes += utf8Bytes(name) + utf8Bytes(value)
  return bytes
}

function detailsBytes({ address, tags, degraded }: MemberDetails): number {
  // Each text of a tag has a head of three bytes at most.
  return 1 + textBytes(address) + 3 + tagBytes(tags) + 6 * Object.keys(tags).length + textBytes(degraded)
}

export function textBytes(text: string): number {
  return utf8Bytes(text) + 3
}

export function utf8Bytes(text: string): number {
  let bytes = text.length
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    // Each half of a pair counts three bytes, though the two take four: never fewer than they take.
    if (unit > 0x7f) bytes += unit > 0x7ff ? 2 : 1
  }
  return bytes
}

export function equalDetails(a: MemberDetails, b: MemberDetails): boolean {
  if (a === b) return true
  if (a.address !== b.address || a.degraded !== b.degraded) return false
  const names = Object.keys(a.tags)
  return (
    names.length === Object.keys(b.tags).length &&
    names.every((name) => Object.hasOwn(b.tags, name) && a.tags[name] === b.tags[name])
  )
}

/** A number of 32 bits; the digest of a set of claims is the exclusive or of theirs. */
export function claimDigest({ id, incarnation, state }: Claim): number {
  let hash = 0x811c9dc5 ^ rankOf[state]
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (incarnation | 0), 0x01000193)
  hash = Math.imul(hash ^ Math.floor(incarnation / 2 ** 32), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  return (hash ^ (hash >>> 13)) >>> 0
}
