import { bytesFromText, textFromBytes } from '../../base/bytes.ts'
import { AlthingError, invalidArgument } from '../../contracts/errors.ts'
import type { Random } from '../../contracts/world.ts'
import type { SecretPlace } from './config-document.ts'
import type { SealedSecret } from './config-record.ts'
import type { JsonValue } from '../../base/json-value.ts'

/** Encryption that also authenticates (AES-256-GCM, NIST SP 800-38D): 32-byte keys, 12-byte nonces that are never used twice with one key. */
export interface AuthenticatedCipher {
  /** The ciphertext and its tag. */
  seal(key: Uint8Array, nonce: Uint8Array, plain: Uint8Array, bound: Uint8Array): Uint8Array
  /** `undefined` when it was not sealed so: another key, other bound data, or changed bytes. */
  open(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array, bound: Uint8Array): Uint8Array | undefined
}

/** A master key: 32 bytes under a name of 1..64 characters. */
export interface MasterKey {
  readonly id: string
  readonly bytes: Uint8Array
}

export interface SecretKeys {
  readonly cipher: AuthenticatedCipher
  /** The first one seals; all of them open. */
  readonly keys: readonly MasterKey[]
}

const nonceBytes = 12
const keyBytes = 32
const idPattern = /^[A-Za-z0-9._-]{1,64}$/

/**
 * Master keys as a file or a variable holds them: `ID:BASE64` each, one a line or with commas between, the one that seals first. Lines that begin with `#` are
 * left out. Throws `invalid-argument`, without a word of the key itself.
 */
export function parseMasterKeys(text: string): readonly MasterKey[] {
  const lines = text
    .split(/[\n,]/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
  const keys = lines.map((line, i): MasterKey => {
    const colon = line.indexOf(':')
    const id = line.slice(0, Math.max(0, colon))
    const bytes = Buffer.from(line.slice(colon + 1), 'base64')
    if (!idPattern.test(id) || bytes.length !== keyBytes)
      throw invalidArgument('config keys', `not of that form (key ${i + 1})`, 'ID:BASE64, 32 bytes in base64')
    return { id, bytes }
  })
  if (keys.length === 0) throw invalidArgument('config keys', 'empty', 'at least one line ID:BASE64')
  if (new Set(keys.map(({ id }) => id)).size < keys.length)
    throw invalidArgument('config keys', keys.map(({ id }) => id).join(', '), 'each id once')
  return keys
}

/** A new master key in that form. */
export function newMasterKey(id: string, random: Random): string {
  if (!idPattern.test(id)) throw invalidArgument('id', id, '1..64 characters of A-Z a-z 0-9 . _ -')
  return `${id}:${Buffer.from(random.bytes(keyBytes)).toString('base64')}`
}

/** Seals values and opens them. What is sealed is bound to its place: scope, instance and key. */
export class SecretBox {
  readonly #secrets: SecretKeys | undefined
  readonly #random: Random

  constructor(secrets: SecretKeys | undefined, random: Random) {
    this.#secrets = secrets
    this.#random = random
    for (const { id, bytes } of secrets?.keys ?? [])
      if (bytes.length !== keyBytes)
        throw invalidArgument(`key ${id}`, `${bytes.length} bytes`, `${keyBytes} bytes`)
  }

  get hasKeys(): boolean {
    return this.sealsWith !== undefined
  }

  /** Id of the key that seals. */
  get sealsWith(): string | undefined {
    return this.#secrets?.keys[0]?.id
  }

  /** Throws `invalid-argument` where this process has no key. */
  seal(place: SecretPlace, value: JsonValue): SealedSecret {
    const master = this.#secrets?.keys[0]
    if (this.#secrets === undefined || master === undefined)
      throw new AlthingError(
        'invalid-argument',
        `${place.key} is a secret, and this process has no key to seal it with: give it the keys (ALTHING_CONFIG_KEYS_FILE), or write it from where they are`,
        { outcome: 'none', details: { field: place.key } },
      )
    const dataKey = this.#random.bytes(keyBytes)
    const data = this.#seal(dataKey, bytesFromText(JSON.stringify(value)), boundTo('value', place))
    const wrapped = this.#seal(master.bytes, dataKey, boundTo(`key ${master.id}`, place))
    return { key: master.id, dataKey: base64(wrapped), data: base64(data) }
  }

  canOpen(secret: SealedSecret): boolean {
    return this.#secrets?.keys.some(({ id }) => id === secret.key) === true
  }

  /** Throws `not-found` (no such key here) or `corrupt` (not what was sealed for this place). */
  open(place: SecretPlace, secret: SealedSecret): JsonValue {
    const master = this.#secrets?.keys.find(({ id }) => id === secret.key)
    if (master === undefined)
      throw new AlthingError(
        'not-found',
        `the secret ${place.key} is sealed with the key ${secret.key}, which this process does not have`,
        {
          details: { field: place.key, key: secret.key },
        },
      )
    const dataKey = this.#open(master.bytes, secret.dataKey, boundTo(`key ${master.id}`, place))
    const plain =
      dataKey === undefined ? undefined : this.#open(dataKey, secret.data, boundTo('value', place))
    if (plain === undefined)
      throw new AlthingError(
        'corrupt',
        `the secret ${place.key} was not sealed for this place, or was changed`,
        {
          details: { field: place.key, key: secret.key },
        },
      )
    return JSON.parse(textFromBytes(plain)) as JsonValue
  }

  #seal(key: Uint8Array, plain: Uint8Array, bound: Uint8Array): Uint8Array {
    const nonce = this.#random.bytes(nonceBytes)
    return Buffer.concat([nonce, (this.#secrets as SecretKeys).cipher.seal(key, nonce, plain, bound)])
  }

  #open(key: Uint8Array, text: string, bound: Uint8Array): Uint8Array | undefined {
    const bytes = Buffer.from(text, 'base64')
    return this.#secrets?.cipher.open(key, bytes.subarray(0, nonceBytes), bytes.subarray(nonceBytes), bound)
  }
}

/** JSON, so that no two places have the same text. */
function boundTo(what: string, { scope, instance, key }: SecretPlace): Uint8Array {
  return bytesFromText(JSON.stringify(['althing config 1', what, scope, instance ?? null, key]))
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}
