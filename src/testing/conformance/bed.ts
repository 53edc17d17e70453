import { AlthingError } from '../../contracts/errors.ts'
import type { Store, StoreCapabilities } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'

/**
 * A server (or an embedded store) on which cases are played, one after the other. Cases keep to keys of their own, so the bed may be an old one and may be
 * used again; nobody else may write to it meanwhile. Close what is left of it when the cases are done.
 */
export interface ConformanceBed {
  /** Measures time and waits. */
  readonly world: Pick<World, 'clock' | 'timers' | 'random'>
  /**
   * A client of the server; every one sees the same data. The case closes it. Without the ability `clients` there is one at a time, and opening the next
   * finds what is durable.
   */
  open(): Promise<Store>
  /** Ability `restart`: ends the server, or all of its members, and starts it on the same data. Resolves when it serves again. */
  restart?(): Promise<void>
  /** Ability `failover`: the member that leads dies, and another takes over; the dead one is back when the promise resolves. */
  failover?(): Promise<void>
  /** Ability `cut`: breaks every connection between the clients and the server at once, answers on their way included. */
  cut?(): void
}

/** What a bed, or its engine, has beyond what every one must. */
export type ConformanceAbility =
  /** Several clients at a time. Those that are open survive `restart`, `failover` and `cut`. */
  | 'clients'
  | 'restart'
  | 'failover'
  | 'cut'
  /** The engine has `keepLeasesAlive`. */
  | 'bulk-renewal'

export interface ConformanceOptions {
  /** As the engine states them: data, so that cases are known before anything is opened. A case compares them with the store's own. */
  readonly capabilities: StoreCapabilities
  readonly abilities?: readonly ConformanceAbility[]
}

/** What a bed without the ability answers. */
export function lacksAbility(ability: ConformanceAbility): AlthingError {
  return new AlthingError(
    'invalid-argument',
    `the bed was said to have the ability '${ability}', but has not`,
  )
}
