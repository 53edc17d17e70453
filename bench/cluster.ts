/** What a closed loop can do again and again; each is one request to the server. */
export const operations = ['put', 'get', 'txn', 'lease'] as const
export type Operation = (typeof operations)[number]

/** A store under test, as far as it takes writes. */
export interface PutDriver {
  /** Resolves when the write is acknowledged. */
  put(key: string, value: Uint8Array, deadlineMs: number): Promise<void>
  close(): Promise<void>
}

/** One store under test, as a client of it sees it. */
export interface StoreDriver extends PutDriver {
  /** A linearizable read of one key. Resolves with the number of bytes of its value; rejects when there is no such key. */
  get(key: string, deadlineMs: number): Promise<number>
  /** One transaction: if `absentKey` does not exist (it never does), put `key` and read it again. */
  txn(absentKey: string, key: string, value: Uint8Array, deadlineMs: number): Promise<void>
  /** Grants a lease that outlives the benchmark. */
  grantLease(deadlineMs: number): Promise<void>
  /** Ends all leases of the store, with a deadline for each call. Resolves with how many they were. */
  revokeLeases(deadlineMs: number): Promise<number>
  /** Resolves when the watch is set; `seen` is called for every later change of `key`. */
  watch(key: string, seen: () => void): Promise<void>
}

/** How a load process, which shares no memory with the benchmark, reaches a store. */
export interface LoadTarget {
  readonly kind: 'etcd' | 'althing' | 'nats'
  /** `host:port` of the members to talk to. */
  readonly addresses: readonly string[]
}

/** Three members on this machine, each a process of its own. */
export interface Cluster {
  /** Name, version and settings, for the report. */
  readonly description: string
  readonly size: number
  /** Process ids of the members that run. */
  readonly pids: readonly number[]
  /** Where the member that leads serves its HTTP API; absent when it has none. */
  httpAddress?(): Promise<string>
  /** Index of the member that leads; waits until there is one. */
  leader(): Promise<number>
  /** The present term; grows with every election. */
  term?(): Promise<number>
  /** Where a client sends writes when it wants the fewest hops. */
  target(): Promise<LoadTarget>
  /** Clients that between them reach every member but `without`. */
  drivers(without?: number): Promise<readonly PutDriver[]>
  /** SIGKILL. */
  kill(member: number): Promise<void>
  /** Starts a killed member on its data again; resolves when it serves linearizable reads. */
  restart(member: number): Promise<void>
  /** Ends every process and removes the data. Idempotent. */
  stop(): Promise<void>
}

/** Who can be measured, and how it is started. */
export interface Contender {
  readonly name: string
  /** Why it cannot run here; `undefined` when it can. */
  unavailable(): string | undefined
  start(): Promise<Cluster>
}
