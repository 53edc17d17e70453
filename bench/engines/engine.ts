import type { Guarantee } from 'althing/coordination'
import type { BareTarget } from './bare/bare-client.ts'

/** In the order of the table. */
export const engineNames = ['memory', 'file', 'cluster', 'etcd', 'postgres', 'redis', 'nats'] as const
export type EngineName = (typeof engineNames)[number]

/** An engine that runs, for as long as it is measured. */
export interface RunningEngine {
  /** What `open` is given. */
  readonly url: string
  /** Guarantees that the engine lacks as it is set up here, and that the recipes are measured without. */
  readonly accept?: readonly Guarantee[]
  /** Name, version, durability. */
  readonly description: string
  /**
   * Clients of the same server without our layer. The first is the one that our layer is measured by; another does more of what ours does. Empty where the engine is
   * ours.
   */
  readonly bare: readonly BareTarget[]
  stop(): Promise<void>
}

export interface BenchEngine {
  /** Why it cannot run here; `undefined` when it can. */
  unavailable(): string | undefined
  start(): Promise<RunningEngine>
}
