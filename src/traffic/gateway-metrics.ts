import type { ErrorCode } from '../contracts/errors.ts'
import type { AttemptFailure } from '../contracts/http.ts'
import type { MoveCause } from './gateway-policy.ts'

/** What a gateway has done since it started, and has open now. Plain JSON. */
export interface GatewayMetrics {
  readonly requests: number
  /** Replies passed on, by class of status; `1xx` are tunnels. */
  readonly replies: Readonly<Record<'1xx' | '2xx' | '3xx' | '4xx' | '5xx', number>>
  /** Refused by the gateway, by code. */
  readonly refusals: Readonly<Partial<Record<ErrorCode, number>>>
  /** Failed attempts, by kind. */
  readonly failures: Readonly<Record<AttemptFailure['kind'], number>>
  readonly retries: number
  /** Retries that would have been safe and that the budget did not allow. */
  readonly retriesDenied: number
  /** Instances broke off inside a reply. */
  readonly broken: number
  /** Clients went away before their reply was whole. */
  readonly abandoned: number
  readonly ejections: number
  /** Sessions that were moved to another instance, by cause. */
  readonly moves: Readonly<Record<MoveCause, number>>
  readonly tunnelsOpened: number
  readonly requestsOpen: number
  readonly tunnelsOpen: number
  readonly sessions: number
}

export class GatewayCounters {
  requests = 0
  replies = { '1xx': 0, '2xx': 0, '3xx': 0, '4xx': 0, '5xx': 0 }
  refusals: Partial<Record<ErrorCode, number>> = {}
  failures: Record<AttemptFailure['kind'], number> = { refused: 0, timeout: 0, reset: 0, malformed: 0 }
  retries = 0
  retriesDenied = 0
  broken = 0
  abandoned = 0
  ejections = 0
  moves: Record<MoveCause, number> = { gone: 0, ejected: 0, draining: 0, unhealthy: 0, full: 0, failed: 0 }
  tunnelsOpened = 0
  requestsOpen = 0
  tunnelsOpen = 0

  countReply(status: number): void {
    const kind = `${Math.floor(status / 100)}xx`
    if (kind in this.replies) this.replies[kind as keyof typeof this.replies] += 1
  }

  countRefusal(code: ErrorCode): void {
    this.refusals[code] = (this.refusals[code] ?? 0) + 1
  }

  snapshot(sessions: number): GatewayMetrics {
    return {
      requests: this.requests,
      replies: { ...this.replies },
      refusals: { ...this.refusals },
      failures: { ...this.failures },
      retries: this.retries,
      retriesDenied: this.retriesDenied,
      broken: this.broken,
      abandoned: this.abandoned,
      ejections: this.ejections,
      moves: { ...this.moves },
      tunnelsOpened: this.tunnelsOpened,
      requestsOpen: this.requestsOpen,
      tunnelsOpen: this.tunnelsOpen,
      sessions,
    }
  }
}
