/** The client library of an engine, used as its own documentation shows, for the two operations that ours is compared with. */
export interface BareClient {
  /** Resolves when the write is acknowledged, as durable as the server makes it. */
  put(key: string, value: Buffer): Promise<unknown>
  /** A read of the newest value. Resolves with the number of its bytes; rejects when there is no such key. */
  get(key: string): Promise<number>
  close(): Promise<void>
}

export type BareKind = 'etcd' | 'postgres' | 'postgres-journal' | 'redis' | 'redis-journal' | 'nats'

/** How a load process reaches the server without our layer. Travels as JSON. */
export interface BareTarget {
  readonly kind: BareKind
  /** `host:port` or URL, as the library has it. */
  readonly address: string
}

export function missing(key: string): Error {
  return new Error(`the store has no key ${key}`)
}
