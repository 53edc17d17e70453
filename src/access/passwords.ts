import { AlthingError, invalidArgument } from '../contracts/errors.ts'
import type { Random } from '../contracts/world.ts'
import type { PasswordHash } from './records.ts'
import { equalSecrets } from './token.ts'

/** The costly part, off the event loop: the world gives it. */
export interface KeyDerivation {
  /** scrypt (RFC 7914); resolves with 32 bytes. */
  scrypt(
    password: string,
    salt: Uint8Array,
    parameters: { readonly cost: number; readonly blockSize: number; readonly parallelization: number },
  ): Promise<Uint8Array>
}

/** About 60 ms and 32 MiB for each, on a machine of 2024. */
const parameters = { cost: 2 ** 15, blockSize: 8, parallelization: 1 } as const
/** Derivations at a time: each takes memory and a thread of the pool that disks are served by. */
const concurrencyMax = 2
const waitingMax = 64
const passwordBytesMin = 8
const passwordBytesMax = 1_024

/** Makes and checks password hashes, a bounded number at a time. */
export class Passwords {
  readonly #derivation: KeyDerivation
  readonly #random: Random
  readonly #waiting: (() => void)[] = []
  #running = 0

  constructor(derivation: KeyDerivation, random: Random) {
    this.#derivation = derivation
    this.#random = random
  }

  /** Rejects with `invalid-argument` (too short or too long) or `overloaded`. */
  async hash(password: string): Promise<PasswordHash> {
    const bytes = Buffer.byteLength(password)
    if (bytes < passwordBytesMin || bytes > passwordBytesMax) {
      throw invalidArgument(
        'password',
        `one of ${bytes} bytes`,
        `${passwordBytesMin} to ${passwordBytesMax} bytes long`,
      )
    }
    const salt = this.#random.bytes(16)
    const derived = await this.#derive(password, salt, parameters)
    return {
      algorithm: 'scrypt',
      ...parameters,
      salt: Buffer.from(salt).toString('base64url'),
      hash: Buffer.from(derived).toString('base64url'),
    }
  }

  /** Takes as long without a hash (there is no such user) as with one. Rejects with `overloaded`. */
  async matches(password: string, expected: PasswordHash | undefined): Promise<boolean> {
    if (Buffer.byteLength(password) > passwordBytesMax) return false
    const salt = expected === undefined ? new Uint8Array(16) : Buffer.from(expected.salt, 'base64url')
    const derived = await this.#derive(password, salt, expected ?? parameters)
    return expected !== undefined && equalSecrets(Buffer.from(derived).toString('base64url'), expected.hash)
  }

  async #derive(
    password: string,
    salt: Uint8Array,
    { cost, blockSize, parallelization }: Pick<PasswordHash, 'cost' | 'blockSize' | 'parallelization'>,
  ): Promise<Uint8Array> {
    if (this.#running >= concurrencyMax) await this.#turn()
    else this.#running++
    try {
      return await this.#derivation.scrypt(password, salt, { cost, blockSize, parallelization })
    } finally {
      const next = this.#waiting.shift()
      // The place is handed on as it is.
      if (next === undefined) this.#running--
      else next()
    }
  }

  #turn(): Promise<void> {
    if (this.#waiting.length >= waitingMax) {
      throw new AlthingError('overloaded', `${waitingMax} sign-ins wait for their password to be checked`, {
        outcome: 'none',
        details: { retryAfterMs: 1_000 },
      })
    }
    return new Promise((resolve) => this.#waiting.push(resolve))
  }
}
