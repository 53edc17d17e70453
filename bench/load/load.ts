import type { LoadTarget } from '../cluster.ts'

/** What a load process is asked to do. Travels as JSON. */
export interface LoadRequest {
  readonly target: LoadTarget
  readonly operation: 'put' | 'get'
  /** Closed loops: each sends its next operation when the last one is answered. */
  readonly clients: number
  readonly warmupMs: number
  readonly measuredMs: number
  readonly keysPerClient: number
  readonly valueBytes: number
}

/** What it found. Travels as JSON. */
export interface LoadReport {
  readonly operationsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
  readonly failures: number
  /** One of the failures, for the reader. */
  readonly failure?: string
  /** Cores that the load process itself kept busy. */
  readonly clientCores: number
}
