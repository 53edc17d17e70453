import { AlthingError } from '../contracts/errors.ts'
import type { Store, StoreCapabilities } from '../contracts/store.ts'

/** A guarantee of a store that a recipe can need, by the name under which a caller may accept its absence. */
export type Guarantee =
  | 'linearizable'
  | 'durable'
  | 'lease-survives-failover'
  | 'server-time'
  | 'fencing'
  | 'watch-resume'

const holds: Readonly<Record<Guarantee, (capabilities: StoreCapabilities) => boolean>> = {
  linearizable: (capabilities) => capabilities.linearizable,
  durable: (capabilities) => capabilities.durability !== 'memory',
  'lease-survives-failover': (capabilities) => capabilities.leaseSurvivesFailover,
  'server-time': (capabilities) => capabilities.timeAuthority === 'server',
  fencing: (capabilities) => capabilities.fencing,
  'watch-resume': (capabilities) => capabilities.watchResume,
}

/** Every guarantee, by its name. */
export const guarantees = Object.keys(holds) as readonly Guarantee[]

/** What a recipe needs: data, so that pages and commands can show it. */
export interface Requirements {
  readonly recipe: string
  readonly needs: readonly Guarantee[]
}

/** Those of its needs that an engine with these capabilities does not meet. */
export function missingGuarantees(
  capabilities: StoreCapabilities,
  { needs }: Requirements,
): readonly Guarantee[] {
  return needs.filter((need) => !holds[need](capabilities))
}

/**
 * Throws `missing-guarantee` when the store lacks something of `requirements.needs` that is not in `accept`. `details.missing` lists
 * the names, which are those to put into `accept` by who can live without.
 */
export function assertGuarantees(
  store: Store,
  requirements: Requirements,
  options: { readonly accept?: readonly Guarantee[] | undefined } = {},
): void {
  const accepted = new Set(options.accept)
  const missing = missingGuarantees(store.capabilities, requirements).filter((need) => !accepted.has(need))
  if (missing.length === 0) return
  const names = missing.map((name) => `'${name}'`).join(', ')
  throw new AlthingError(
    'missing-guarantee',
    `${requirements.recipe} needs ${names}, which this store does not guarantee; choose another engine, or accept the weaker ` +
      `guarantee by name with accept: [${names}]`,
    { outcome: 'none', details: { recipe: requirements.recipe, missing } },
  )
}
