/** One store under test, as a client of it sees it. */
export interface StoreDriver {
  /** Resolves when the write is acknowledged. */
  put(key: string, value: Uint8Array, deadlineMs: number): Promise<void>
  /** A linearizable read of one key. Resolves with the number of bytes of its value; rejects when there is no such key. */
  get(key: string, deadlineMs: number): Promise<number>
  close(): Promise<void>
}

/** How a load process, which shares no memory with the benchmark, reaches a store. */
export interface LoadTarget {
  readonly kind: 'etcd' | 'althing'
  /** `host:port` of the members to talk to. */
  readonly addresses: readonly string[]
}

/** Three members on this machine, each a process of its own. */
export interface Cluster {
  /** Name, version and settings, for the report. */
  readonly description: string
  readonly size: number
  /** Index of the member that leads; waits until there is one. */
  leader(): Promise<number>
  /** Where a client sends writes when it wants the fewest hops. */
  target(): Promise<LoadTarget>
  /** Clients that between them reach every member but `without`. */
  drivers(without?: number): Promise<readonly StoreDriver[]>
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
