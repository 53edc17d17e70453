import { createCipheriv, createDecipheriv, createHash, hkdfSync } from 'node:crypto'
import { invalidArgument } from '../contracts/errors.ts'
import { secretBytesMin, secretsIn } from '../contracts/secret-text.ts'
import type { Random } from '../contracts/world.ts'

/** Turns messages into packets and back. */
export interface DatagramSeal {
  /** Bytes that a packet has more than its message. */
  readonly overheadBytes: number
  seal(message: Uint8Array): Uint8Array
  /** `undefined`: not a packet of this group, or not sealed with its secret. */
  open(packet: Uint8Array): Uint8Array | undefined
}

const versionOpen = 1
const versionSealed = 2
const markBytes = 4
const saltBytes = 16
const counterBytes = 8
const tagBytes = 16
const headBytes = 1 + markBytes + saltBytes + counterBytes
const keyBytes = 32
/** A different use of the same secret has other keys. */
const purpose = 'althing membership datagrams 1'
/** Senders whose keys are remembered; the oldest is derived anew when it is heard again. */
const sendersMax = 4_096

/** Packets in the clear, marked with the group's name: another group's are passed over, but anybody can forge them. */
export class OpenDatagrams implements DatagramSeal {
  readonly overheadBytes = 1 + markBytes
  readonly #mark: Uint8Array

  constructor(group: string) {
    this.#mark = markOf(group)
  }

  seal(message: Uint8Array): Uint8Array {
    return Buffer.concat([[versionOpen], this.#mark, message].map((part) => Uint8Array.from(part)))
  }

  open(packet: Uint8Array): Uint8Array | undefined {
    return packet[0] === versionOpen && isMarked(packet, this.#mark)
      ? packet.subarray(1 + markBytes)
      : undefined
  }
}

/**
 * Packets encrypted and authenticated with AES-256-GCM. Each process has a key of its own, derived (HKDF, SHA-256) from the secret, the group's name and a salt that it draws at its start and
 * sends along; it numbers its packets, and no number is used twice with one key. A packet that is sent again by somebody opens again: that is harmless, for an old claim overrules nothing, and
 * an answer without a question counts for nothing.
 *
 *     packet   version (1), mark of the group (4), salt (16), number (8), encrypted message, tag (16)
 */
export class SealedDatagrams implements DatagramSeal {
  readonly overheadBytes = headBytes + tagBytes
  readonly #secrets: readonly string[]
  readonly #group: string
  readonly #mark: Uint8Array
  readonly #salt: Uint8Array
  readonly #key: Uint8Array
  readonly #keys = new Map<string, Uint8Array>()
  #counter = 0n

  /** `secret`: 16 bytes or more; up to four, one a line: the first one seals, each opens, so that it can be changed one process after another. Throws `invalid-argument`, which never shows it. */
  constructor(secret: string, group: string, random: Random) {
    this.#secrets = secretsLongEnough(secret)
    this.#group = group
    this.#mark = markOf(group)
    this.#salt = random.bytes(saltBytes)
    this.#key = this.#derive(this.#secrets[0] as string, this.#salt)
  }

  seal(message: Uint8Array): Uint8Array {
    const head = Buffer.alloc(headBytes)
    head[0] = versionSealed
    head.set(this.#mark, 1)
    head.set(this.#salt, 1 + markBytes)
    head.writeBigUInt64BE(this.#counter++, headBytes - counterBytes)
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonceOf(head), { authTagLength: tagBytes })
    cipher.setAAD(head)
    return Buffer.concat([head, cipher.update(message), cipher.final(), cipher.getAuthTag()])
  }

  open(packet: Uint8Array): Uint8Array | undefined {
    const isFit = packet[0] === versionSealed && packet.byteLength >= headBytes + tagBytes
    if (!isFit || !isMarked(packet, this.#mark)) return undefined
    const salt = packet.subarray(1 + markBytes, 1 + markBytes + saltBytes)
    const name = Buffer.from(salt).toString('latin1')
    const known = this.#keys.get(name)
    if (known !== undefined) return decrypt(packet, known)
    for (const secret of this.#secrets) {
      const key = this.#derive(secret, salt)
      const message = decrypt(packet, key)
      if (message === undefined) continue
      this.#remember(name, key)
      return message
    }
    return undefined
  }

  #remember(name: string, key: Uint8Array): void {
    this.#keys.set(name, key)
    for (const oldest of this.#keys.keys()) {
      if (this.#keys.size <= sendersMax) break
      this.#keys.delete(oldest)
    }
  }

  #derive(secret: string, salt: Uint8Array): Uint8Array {
    return new Uint8Array(hkdfSync('sha256', secret, salt, `${purpose}/${this.#group}`, keyBytes))
  }
}

function decrypt(packet: Uint8Array, key: Uint8Array): Uint8Array | undefined {
  const head = packet.subarray(0, headBytes)
  const end = packet.byteLength - tagBytes
  const decipher = createDecipheriv('aes-256-gcm', key, nonceOf(head), { authTagLength: tagBytes })
  decipher.setAAD(head)
  decipher.setAuthTag(packet.subarray(end))
  try {
    return Buffer.concat([decipher.update(packet.subarray(headBytes, end)), decipher.final()])
  } catch {
    // Not sealed with this key, or changed on its way.
    return undefined
  }
}

/** Twelve bytes: the number, behind zeros. */
function nonceOf(head: Uint8Array): Uint8Array {
  const nonce = new Uint8Array(12)
  nonce.set(head.subarray(headBytes - counterBytes, headBytes), 4)
  return nonce
}

function markOf(group: string): Uint8Array {
  return createHash('sha256').update(group).digest().subarray(0, markBytes)
}

function isMarked(packet: Uint8Array, mark: Uint8Array): boolean {
  return mark.every((byte, i) => packet[1 + i] === byte)
}

function secretsLongEnough(text: string): readonly string[] {
  const secrets = secretsIn(text)
  for (const secret of secrets) {
    const bytes = Buffer.byteLength(secret)
    if (bytes < secretBytesMin)
      throw invalidArgument('secret', `one of ${bytes} bytes`, `${secretBytesMin} bytes or more`)
  }
  return secrets
}
