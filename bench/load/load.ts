import type { LoadTarget, Operation } from '../cluster.ts'

/** What a load process is asked to do. Travels as JSON. */
export type LoadRequest = ClosedLoopRequest | FanOutRequest

export interface ClosedLoopRequest {
  readonly kind: 'closed-loop'
  readonly target: LoadTarget
  readonly operation: Operation
  /** Closed loops: each sends its next operation when the last one is answered. */
  readonly clients: number
  readonly warmupMs: number
  readonly measuredMs: number
  readonly keysPerClient: number
  readonly valueBytes: number
}

/** What it found. Travels as JSON. */
export interface ClosedLoopReport {
  readonly operationsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
  /** Operations that succeeded, those of the warm-up and of the set-up included: what the servers worked for. */
  readonly completed: number
  readonly failures: number
  /** One of the failures, for the reader. */
  readonly failure?: string
  /** Cores that the load process itself kept busy. */
  readonly clientCores: number
}

/** One put after the other, each watched by many. */
export interface FanOutRequest {
  readonly kind: 'fan-out'
  readonly target: LoadTarget
  readonly watchers: number
  /** Not measured, before those that are. */
  readonly warmupPuts: number
  readonly puts: number
  readonly valueBytes: number
}

export interface FanOutReport {
  /** From the put to the moment when the last of the watchers has heard of it. */
  readonly p50Ms: number
  readonly p99Ms: number
}

/** Longest time that the load itself takes, without connecting and setting up. */
export function durationMs(request: LoadRequest): number {
  return request.kind === 'closed-loop' ? request.warmupMs + request.measuredMs : 60_000
}
