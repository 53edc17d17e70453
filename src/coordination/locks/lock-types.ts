import type { Duration } from '../../base/duration.ts'
import type { ForcedRelease } from './forced-release.ts'
import type { Hold, SingleHold } from './hold-types.ts'
import type { Party } from './party.ts'
import type { TurnOptions } from './turn-taker.ts'

/** `write`: one holder. `read`: as many as come, while no writer holds. */
export type LockMode = 'write' | 'read'

export interface AcquireOptions extends TurnOptions {
  /**
   * Default `'write'`: nobody else holds the lock. `'read'`: shared with other readers. The line is one and strictly first come, first served:
   * a waiting writer holds up the readers that come after it, and readers that came before it are not overtaken by it.
   */
  readonly mode?: LockMode
  /**
   * Makes the lock re-entrant: within one `LockService`, a second acquire by the same owner shares the hold. Who holds it for writing may acquire it for
   * reading too, and shares the write hold; who holds it for reading and wants to write is refused with `conflict`, as it would wait for itself.
   * 1..256 characters.
   */
  readonly owner?: string
}

/** One successful acquire. Each must be released once; a re-entrant hold ends with the last. */
export interface Lock extends SingleHold {
  readonly mode: LockMode
  /** From now on the lock has this ttl, and its time starts anew. `lost` or `stale-token` when it is held no more. */
  extend(ttl: Duration): Promise<void>
}

export type AcquireAllOptions = Omit<AcquireOptions, 'owner' | 'mode'>

/** Several locks as one: held, lost and released together. All have the same token. */
export interface MultiLock extends Hold {
  /** As asked for, each once, in the order of their names. */
  readonly names: readonly string[]
  readonly fences: readonly { readonly name: string; readonly key: string; readonly token: number }[]
}

export interface LockParty extends Party {
  readonly mode: LockMode
}

export interface LockExplanation {
  readonly name: string
  /** The first of the holders. */
  readonly holder: LockParty | undefined
  /** One writer, or all readers, in the order of their coming. */
  readonly holders: readonly LockParty[]
  /** In the order in which they will get it. */
  readonly waiters: readonly LockParty[]
  readonly revision: number
}

export type ForcedLockRelease = ForcedRelease<LockParty>
