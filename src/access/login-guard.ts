import { AlthingError } from '../contracts/errors.ts'
import type { Clock } from '../contracts/world.ts'

interface Failures {
  count: number
  untilMs: number
  lastMs: number
}

/** Failures that cost nothing: a wrong configuration is tried a few times before anybody looks. */
const freeFailures = 5
const delayMsMin = 500
const delayMsMax = 60_000
/** Addresses remembered; past it the one that failed longest ago is forgotten. */
const addressesMax = 10_000
/** A quiet time after which an address begins anew. */
const forgetMs = 15 * 60_000

/** Slows down who guesses tokens or passwords: after a few failures an address has to wait, twice as long after each. */
export class LoginGuard {
  readonly #clock: Clock
  readonly #failures = new Map<string, Failures>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Throws `overloaded` with `details.retryAfterMs` while the address has to wait. `remoteAddress` is `host:port`. */
  admit(remoteAddress: string): void {
    const found = this.#failures.get(hostOf(remoteAddress))
    if (found === undefined) return
    const retryAfterMs = Math.ceil(found.untilMs - this.#clock.monotonicMs())
    if (retryAfterMs <= 0) return
    throw new AlthingError('overloaded', 'too many failed sign-ins from this address: wait', {
      outcome: 'none',
      details: { retryAfterMs },
    })
  }

  failed(remoteAddress: string): void {
    const host = hostOf(remoteAddress)
    const nowMs = this.#clock.monotonicMs()
    const before = this.#failures.get(host)
    const count = before === undefined || nowMs - before.lastMs > forgetMs ? 1 : before.count + 1
    const over = count - freeFailures
    const delayMs = over <= 0 ? 0 : Math.min(delayMsMax, delayMsMin * 2 ** Math.min(over - 1, 16))
    this.#failures.delete(host)
    this.#failures.set(host, { count, untilMs: nowMs + delayMs, lastMs: nowMs })
    if (this.#failures.size <= addressesMax) return
    for (const oldest of this.#failures.keys()) {
      this.#failures.delete(oldest)
      return
    }
  }

  succeeded(remoteAddress: string): void {
    this.#failures.delete(hostOf(remoteAddress))
  }
}

export function hostOf(remoteAddress: string): string {
  const colon = remoteAddress.lastIndexOf(':')
  return colon < 0 ? remoteAddress : remoteAddress.slice(0, colon)
}
