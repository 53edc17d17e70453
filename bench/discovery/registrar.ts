/** What the process with the registrations does. */
export interface RegistrarCalls {
  /** Adds `count` instances of `service` to those that it has. Resolves with how long that took, in ms. */
  register(request: RegisterRequest): Promise<number>
  /** MiB, after a garbage collection. */
  heap(): Promise<number>
  /** Changes the weights of instances, one after the other: to `firstWeight`, `firstWeight + 1` and so on. */
  change(request: ChangeRequest): Promise<Changes>
}

export interface RegisterRequest {
  readonly addresses: readonly string[]
  readonly service: string
  readonly count: number
}

export interface ChangeRequest {
  /** Each of another instance; at most as many as there are. */
  readonly changes: number
  readonly aSecond: number
  readonly firstWeight: number
}

export interface Changes {
  /** When each was begun, by the monotonic clock of the machine. */
  readonly startedMs: readonly number[]
  readonly lengthMs: number
}
