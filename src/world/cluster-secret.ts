import { createHash, hkdfSync } from 'node:crypto'
import { invalidArgument } from '../contracts/errors.ts'
import { secretBytesMin, secretsIn } from '../contracts/secret-text.ts'

/** What a key opens: the connections between nodes, or those of clients. */
export type KeyRole = 'node' | 'client'

/** One key of TLS's pre-shared kind. */
export interface SharedKey {
  readonly role: KeyRole
  /** Sent in the clear to say which key is meant; says nothing of the key itself. */
  readonly identity: string
  readonly key: Buffer
}

const clientSecretPrefix = 'althing-client:'
/** A different use of the same secret in a later version gets other keys. */
const salt = 'althing transport keys 1'
const keyBytes = 32

/**
 * The keys of a text with one secret a line (empty lines and lines that begin with `#` are passed over). The first of each role is the one to dial with. Throws
 * `invalid-argument`, which never shows a secret.
 */
export function keysOf(text: string): readonly SharedKey[] {
  return secretsIn(text).flatMap(keysOfSecret)
}

/** What clients are given in place of the cluster secret: with it a program can call the cluster, but not join it. */
export function clientSecretOf(clusterSecret: string): string {
  const client = keysOf(clusterSecret).find(({ role }) => role === 'client') as SharedKey
  return clientSecretPrefix + client.key.toString('base64url')
}

function keysOfSecret(secret: string): SharedKey[] {
  if (secret.startsWith(clientSecretPrefix)) return [keyOf('client', clientKeyIn(secret))]
  const bytes = Buffer.from(secret, 'utf8')
  if (bytes.length < secretBytesMin) {
    throw invalidArgument(
      'secret',
      `one of ${bytes.length} bytes`,
      `${secretBytesMin} bytes or more (openssl rand -base64 32 makes a good one)`,
    )
  }
  const derive = (role: KeyRole): Buffer => Buffer.from(hkdfSync('sha256', bytes, salt, role, keyBytes))
  return [keyOf('node', derive('node')), keyOf('client', derive('client'))]
}

function clientKeyIn(secret: string): Buffer {
  const key = Buffer.from(secret.slice(clientSecretPrefix.length), 'base64url')
  if (key.length !== keyBytes)
    throw invalidArgument('secret', `a client secret of ${key.length} bytes`, `one of ${keyBytes} bytes`)
  return key
}

function keyOf(role: KeyRole, key: Buffer): SharedKey {
  const id = createHash('sha256').update('althing key id').update(key).digest('hex').slice(0, 16)
  return { role, identity: `althing-${role}-${id}`, key }
}
