import { AlthingError } from '../../contracts/errors.ts'
import type { KeyValue, Store } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { ExclusiveHold } from '../exclusive-hold.ts'
import { fenceCompare } from '../fencing.ts'
import { decodeInstanceEntry, instanceKey } from './instance-entry.ts'
import type { LeaseKeeper } from '../leases/lease-keeper.ts'
import type { LeaseShare, SharedLeases } from './shared-leases.ts'

export interface RegistryDependencies {
  readonly store: Store
  readonly world: World
  readonly keeper: LeaseKeeper
  readonly service: string
  readonly id: string
  readonly leases: SharedLeases
  readonly ttlMs: number
  /** An entry that has it is one's own, of an attempt whose outcome was unknown. */
  readonly nonce: string
}

const attemptsMax = 5

/**
 * Makes the key of an instance, on a lease of the process. An entry that is there already is replaced when it is one's own former one (`formerToken`, or of an
 * attempt whose outcome was unknown), or whoever's with `takeOver`; otherwise `conflict`.
 */
export async function enterRegistry(
  dependencies: RegistryDependencies,
  value: Uint8Array,
  options: { readonly takeOver: boolean; readonly formerToken: number | undefined },
): Promise<ExclusiveHold> {
  const { store, world, keeper, service, id } = dependencies
  const key = instanceKey(service, id)
  const lease = await dependencies.leases.take(dependencies.ttlMs)
  lease.own({ key, compare: { target: 'value', key, op: '=', value } })
  try {
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const reply = await store.txn({
        compare: [{ target: 'createRevision', key, op: '=', value: 0 }],
        then: [{ op: 'put', key, value, lease: lease.id }],
        else: [{ op: 'range', key }],
      })
      if (reply.succeeded) {
        const fence = { key, token: reply.revision }
        lease.own({ key, compare: fenceCompare(fence) })
        return new ExclusiveHold({
          store,
          world,
          keeper,
          fence,
          lease,
          what: `registration ${service}/${id}`,
        })
      }
      const found = reply.replies[0]
      const existing = found?.op === 'range' ? found.kvs[0] : undefined
      if (existing !== undefined) await removeFormer(dependencies, existing, options)
    }
    throw taken(dependencies)
  } catch (error) {
    await leave(world, lease)
    throw error
  }
}

/** Removed and made anew, never overwritten: the new registration has a larger token, and the former holder's is refused. */
async function removeFormer(
  dependencies: RegistryDependencies,
  existing: KeyValue,
  options: { readonly takeOver: boolean; readonly formerToken: number | undefined },
): Promise<void> {
  const isOwn =
    existing.createRevision === options.formerToken ||
    decodeInstanceEntry(existing.value)?.nonce === dependencies.nonce
  if (!isOwn && !options.takeOver) throw taken(dependencies)
  await dependencies.store.txn({
    compare: [fenceCompare({ key: existing.key, token: existing.createRevision })],
    then: [{ op: 'delete', key: existing.key }],
  })
}

async function leave(world: World, lease: LeaseShare): Promise<void> {
  try {
    await lease.release({ timeoutMs: 1_000 })
  } catch (error) {
    world.logger.log('debug', 'a registration that failed is left to its lease', { error: String(error) })
  }
}

function taken({ service, id }: RegistryDependencies): AlthingError {
  return new AlthingError(
    'conflict',
    `service "${service}" has an instance "${id}" already; choose another id, or replace it with takeOver`,
    { outcome: 'none', details: { service, id } },
  )
}
