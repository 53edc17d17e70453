import type { ExchangeEnd } from '../contracts/http.ts'
import type { MoveCause, RouteReason } from './gateway-policy.ts'

/** The route that one request took, and why. */
export interface RouteRecord {
  readonly atMs: number
  readonly method: string
  /** Without the query, at most 128 characters. */
  readonly path: string
  /** The client, as it was counted: `user:42`. */
  readonly client: string
  readonly attempts: readonly RouteAttempt[]
  /** Of the reply passed on or of the refusal; 0 when the client left before. */
  readonly status: number
  readonly end: ExchangeEnd
  /** From the request's head to the end of the reply or tunnel. */
  readonly durationMs: number
}

export interface RouteAttempt {
  readonly instanceId: string
  readonly reason: RouteReason | 'retry'
  readonly movedFrom?: { readonly instanceId: string; readonly cause: MoveCause }
  readonly failure?: string
}

/** The last routes, newest first when read. */
export class RecentRoutes {
  readonly #max: number
  readonly #records: RouteRecord[] = []
  #next = 0

  constructor(max: number) {
    this.#max = max
  }

  add(record: RouteRecord): void {
    if (this.#max === 0) return
    this.#records[this.#next] = record
    this.#next = (this.#next + 1) % this.#max
  }

  list(): RouteRecord[] {
    return [...this.#records.slice(this.#next), ...this.#records.slice(0, this.#next)].reverse()
  }
}
