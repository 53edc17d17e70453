/** How a client keeps up with a service: it watches, or reads the whole list again and again. */
export type ReadingWay = 'watch' | 'poll'

/** What a process with clients that follow a service does. */
export interface ReaderCalls {
  /** Resolves when each client has read the list for the first time. */
  start(request: ReaderRequest): Promise<null>
  /** Resolves when every client has `instances` of them; to be asked of clients that watch. */
  caughtUp(instances: number): Promise<null>
  /** MiB, after a garbage collection. */
  heap(): Promise<number>
  /** From now on it is noted when which weight is seen. */
  attend(): Promise<null>
  /** What the clients have asked for and were given until now. */
  traffic(): Promise<Traffic>
  /** Of each client: when it first saw an instance of each of these weights. Resolves when all have been seen. */
  seen(weights: { readonly first: number; readonly count: number }): Promise<readonly (readonly number[])[]>
}

export interface ReaderRequest {
  readonly addresses: readonly string[]
  readonly service: string
  readonly clients: number
  readonly way: ReadingWay
}

/** As far as the store is concerned: reads and watches, and the bytes of the keys and values in their replies. */
export interface Traffic {
  readonly requests: number
  readonly bytes: number
}
