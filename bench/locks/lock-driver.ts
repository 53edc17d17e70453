/** Locks of one kind, as a process that uses them sees them. */
export interface LockDriver {
  /** Waits for the lock as long as it takes. Resolves with the way to release it. */
  acquire(client: number, name: string): Promise<() => Promise<unknown>>
  close(): Promise<void>
}

/** How a load process reaches the locks. */
export type LockTarget =
  /** What `open` is given; `file:` is the embedded engine, with its data in a folder of the load process. */
  | { readonly kind: 'althing'; readonly url: string }
  /** `host:port` of a member. */
  | { readonly kind: 'etcd'; readonly address: string }
  /** `host:port` of one Redis. */
  | { readonly kind: 'redlock'; readonly address: string }
