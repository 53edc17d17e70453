import { Redis } from 'ioredis'
import type { LockDriver } from './lock-driver.ts'

/** The part of `redlock` that is called. */
interface Redlock {
  lock(resource: string, ttlMs: number): Promise<{ unlock(): Promise<void> }>
}

type RedlockClass = new (
  clients: readonly Redis[],
  options: { readonly retryCount: number; readonly retryDelay: number; readonly retryJitter: number },
) => Redlock

const ttlMs = 30_000
/** The pauses of its documentation; it tries as often as it takes. */
const options = { retryCount: -1, retryDelay: 200, retryJitter: 200 }

/** `redlock` on one Redis, over one connection of ioredis. It retries by a timer, so a lock goes to whoever asks at the right moment. */
export class RedlockLocks implements LockDriver {
  readonly #redis: Redis
  readonly #redlock: Redlock

  private constructor(redis: Redis, redlock: Redlock) {
    this.#redis = redis
    this.#redlock = redlock
  }

  static async open(address: string): Promise<RedlockLocks> {
    const [host, port] = address.split(':')
    const redis = new Redis({ host: host as string, port: Number(port) })
    // Without types of its own.
    const name: string = 'redlock'
    const { default: Redlock } = (await import(name)) as { readonly default: RedlockClass }
    return new RedlockLocks(redis, new Redlock([redis], options))
  }

  async acquire(_: number, name: string): Promise<() => Promise<unknown>> {
    const lock = await this.#redlock.lock(name, ttlMs)
    return async () => await lock.unlock()
  }

  close(): Promise<void> {
    this.#redis.disconnect()
    return Promise.resolve()
  }
}
