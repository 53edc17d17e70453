import type { Guarantee } from 'althing/coordination'
import type { LoadTarget, Operation } from '../cluster.ts'
import type { BareTarget } from '../engines/bare/bare-client.ts'
import type { LockTarget } from '../locks/lock-driver.ts'

/** What a load process is asked to do. Travels as JSON. */
export type LoadRequest =
  | ClosedLoopRequest
  | FanOutRequest
  | EngineRatesRequest
  | EngineRecipeRequest
  | LocksRequest

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

/** Puts or gets through our layer and through bare clients of the same server, a slice of each in turn. */
export interface EngineRatesRequest {
  readonly kind: 'engine-rates'
  /** What `open` is given. */
  readonly url: string
  readonly bare: readonly BareTarget[]
  readonly operation: 'put' | 'get'
  /** Closed loops, in ours as in each of the others. */
  readonly callers: number
  /** Of each, before the first round. */
  readonly warmupMs: number
  readonly sliceMs: number
  readonly rounds: number
  readonly keysPerCaller: number
  readonly valueBytes: number
}

/** One rate for each round. */
export interface SliceRates {
  readonly operationsPerSecond: readonly number[]
  readonly failures: number
  /** One of the failures, for the reader. */
  readonly failure?: string
}

export interface EngineRatesReport {
  readonly ours: SliceRates
  /** In the order of the request. */
  readonly bare: readonly SliceRates[]
}

export const recipes = ['lock', 'watch', 'discovery'] as const
export type Recipe = (typeof recipes)[number]

/** A recipe through our layer. */
export interface EngineRecipeRequest {
  readonly kind: 'engine-recipe'
  readonly url: string
  /** What `open` is told to do without. */
  readonly accept: readonly Guarantee[]
  readonly recipe: Recipe
  /** Of locks; the latencies are measured with one. */
  readonly callers: number
  readonly warmupMs: number
  readonly sliceMs: number
  readonly rounds: number
  readonly valueBytes: number
}

export interface EngineRecipeReport {
  /** Of each round: operations a second, or milliseconds (median). */
  readonly rounds: readonly number[]
}

/** Acquire and release, again and again. */
export interface LocksRequest {
  readonly kind: 'locks'
  readonly target: LockTarget
  readonly clients: number
  /** All clients want the same lock; otherwise each has one of its own. */
  readonly isContended: boolean
  readonly warmupMs: number
  readonly measuredMs: number
}

export interface LocksReport {
  /** Acquires that were released again. */
  readonly operationsPerSecond: number
  /** From asking for the lock to having it. */
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
  /** Of all turns, those before which another had had two since the client asked: 0 where the first come is the first served. */
  readonly overtakenShare: number
}

/** Longest time that the load itself takes, without connecting and setting up. */
export function durationMs(request: LoadRequest): number {
  if (request.kind === 'closed-loop') return request.warmupMs + request.measuredMs
  if (request.kind === 'fan-out') return 60_000
  // The last of those who wait for one lock has it a while after the end.
  if (request.kind === 'locks') return 2 * (request.warmupMs + request.measuredMs) + 60_000
  const contenders = request.kind === 'engine-rates' ? request.bare.length + 1 : 1
  // A slice waits for the calls that it has begun.
  return contenders * (request.warmupMs + 2 * request.rounds * request.sliceMs) + 60_000
}
