import type { Grant, Right } from './grants.ts'
import { rights } from './grants.ts'
import { invalidArgument } from '../contracts/errors.ts'
import { accessPrefix } from '../models/store/system-keys.ts'

/** What the system keys of access control hold, as JSON. Each record says which version of its form it has. */

export interface AccessSettings {
  readonly version: 1
  readonly isEnabled: boolean
  /** Shown by nodes to each other where the transport does not prove what they are. Base64url, 256 bits. */
  readonly nodeKey: string
}

export interface UserRecord {
  readonly version: 1
  readonly roles: readonly string[]
  /** Drawn anew whenever the password changes or the user is made: what was signed in before is valid no more. */
  readonly epoch: string
  /** Absent: signs in with tokens only. */
  readonly password?: PasswordHash
  /** A certificate with this common name signs in as this user. */
  readonly allowsCertificate?: boolean
  readonly createdAtMs: number
}

/** scrypt (RFC 7914) with its parameters, so that they can grow without making old hashes useless. */
export interface PasswordHash {
  readonly algorithm: 'scrypt'
  readonly cost: number
  readonly blockSize: number
  readonly parallelization: number
  /** Base64url. */
  readonly salt: string
  readonly hash: string
}

export interface RoleRecord {
  readonly version: 1
  readonly grants: readonly Grant[]
}

export interface TokenRecord {
  readonly version: 1
  readonly user: string
  /** SHA-256 of the token's secret, base64url. The secret has 256 random bits: nothing slower is needed. */
  readonly hash: string
  readonly label: string
  readonly createdAtMs: number
  /** Absent: until it is revoked. */
  readonly expiresAtMs?: number
}

export const settingsKey = `${accessPrefix}settings`
export const usersPrefix = `${accessPrefix}users/`
export const rolesPrefix = `${accessPrefix}roles/`
export const tokensPrefix = `${accessPrefix}tokens/`

/** Built in; it cannot be changed or removed. */
export const rootRole = 'root'

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/

/** Throws `invalid-argument`. */
export function validateName(field: string, name: unknown): asserts name is string {
  if (typeof name === 'string' && namePattern.test(name)) return
  throw invalidArgument(field, name, '1 to 64 letters, digits, dots, dashes, underscores or @')
}

const keyBytesMax = 4 * 1024

/** Throws `invalid-argument`. */
export function validateGrant(value: unknown): asserts value is Grant {
  const grant = (value ?? {}) as Partial<Record<keyof Grant, unknown>>
  if (!isByteString(grant.key))
    throw invalidArgument('grant.key', grant.key, 'a key, or the start of a range')
  if (grant.end !== undefined && grant.end !== null && !isByteString(grant.end))
    throw invalidArgument(
      'grant.end',
      grant.end,
      'the end of a range (not included), or null for all that follows',
    )
  const known = Array.isArray(grant.rights) && grant.rights.length > 0 && grant.rights.every(isRight)
  if (!known) throw invalidArgument('grant.rights', grant.rights, `one or more of ${rights.join(', ')}`)
  if (grant.group !== undefined && grant.group !== '*') validateName('grant.group', grant.group)
}

function isRight(value: unknown): value is Right {
  return (rights as readonly unknown[]).includes(value)
}

function isByteString(value: unknown): value is string {
  return typeof value === 'string' && value.length <= keyBytesMax && /^[\u0000-\u00ff]*$/.test(value)
}
