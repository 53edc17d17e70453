import { createHash, timingSafeEqual } from 'node:crypto'
import type { Random } from '../contracts/world.ts'

/** A token as its owner holds it: `alt_ID_SECRET`. The id is no secret: it is listed, and revoked by. */
export interface NewToken {
  readonly id: string
  /** Shown once. */
  readonly text: string
  /** What is kept of it. */
  readonly hash: string
}

const form = /^alt_([0-9a-f]{16})_([A-Za-z0-9_-]{43})$/

export function createToken(random: Random): NewToken {
  const id = Buffer.from(random.bytes(8)).toString('hex')
  const secret = Buffer.from(random.bytes(32)).toString('base64url')
  return { id, text: `alt_${id}_${secret}`, hash: hashOf(secret) }
}

export function parseToken(text: string): { readonly id: string; readonly secret: string } | undefined {
  const match = form.exec(text)
  if (match === null) return undefined
  return { id: match[1] as string, secret: match[2] as string }
}

/** Takes the same time wherever the two differ. */
export function tokenMatches(secret: string, hash: string): boolean {
  return equalSecrets(hashOf(secret), hash)
}

/** Takes the same time wherever two texts of equal length differ. */
export function equalSecrets(a: string, b: string): boolean {
  const left = createHash('sha256').update(a).digest()
  const right = createHash('sha256').update(b).digest()
  return timingSafeEqual(left, right)
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url')
}
