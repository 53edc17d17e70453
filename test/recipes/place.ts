import type { Store } from '../../src/contracts/store.ts'
import type { Network, World } from '../../src/contracts/world.ts'
import type { Guarantee } from '../../src/coordination/guarantees.ts'

/** The way of one process to a store: what becomes of it concerns no other process. */
export interface Link {
  /** A client of the store, over this way. */
  open(world: World): Promise<Store>
  /** For engines that are reached over the network of the world. */
  readonly network?: Network
  /** Nothing gets through any more. */
  cut(): void
  mend(): void
  close(): Promise<void>
}

/** A store of its own, empty when it is new. */
export interface Place {
  link(): Link
}

/** An engine that has been started for tests, with as many stores as are asked for. */
export interface Engine {
  /** What recipes must accept to run on it. */
  readonly accept: readonly Guarantee[]
  /** Called once for each number. */
  place(number: number): Promise<Place>
  close(): Promise<void>
}
