import type { Credentials } from '../../access/access-control.ts'
import type { PrincipalRef } from '../../access/principal.ts'
import { AlthingError } from '../../contracts/errors.ts'
import type { Store } from '../../contracts/store.ts'

/** Callers that may have requests or watches open at this node's HTTP face at a time. */
const callersMax = 256

export interface CallerStoresOptions {
  /** Opens a store of the cluster on which a node speaks for that caller. */
  open(speaker: { readonly principal: PrincipalRef; credentials(): Credentials }): Store
  credentials(): Credentials
}

interface CallerStore {
  readonly store: Store
  uses: number
}

/** A store of the cluster for each caller of the HTTP face, in whose name its requests are made: the nodes decide what the caller may do, as for any client. */
export class CallerStores {
  readonly #options: CallerStoresOptions
  /** The one used longest ago first. */
  readonly #stores = new Map<string, CallerStore>()

  constructor(options: CallerStoresOptions) {
    this.#options = options
  }

  /** For one request; `release` when it has ended. Throws `overloaded` when too many callers have requests open. */
  take(principal: PrincipalRef): { readonly store: Store; release(): void } {
    const name = JSON.stringify(principal)
    const entry = this.#stores.get(name) ?? this.#open(principal)
    this.#stores.delete(name)
    this.#stores.set(name, entry)
    entry.uses++
    let isReleased = false
    return {
      store: entry.store,
      release: () => {
        if (isReleased) return
        isReleased = true
        entry.uses--
      },
    }
  }

  async close(): Promise<void> {
    const stores = [...this.#stores.values()]
    this.#stores.clear()
    await Promise.all(stores.map(({ store }) => store.close()))
  }

  #open(principal: PrincipalRef): CallerStore {
    if (this.#stores.size >= callersMax) this.#closeIdle()
    const { open, credentials } = this.#options
    return { store: open({ principal, credentials }), uses: 0 }
  }

  #closeIdle(): void {
    for (const [name, { store, uses }] of this.#stores) {
      if (uses > 0) continue
      this.#stores.delete(name)
      void store.close()
      return
    }
    throw new AlthingError('overloaded', `${callersMax} callers have requests open`, { outcome: 'none' })
  }
}
