import type { Fence } from '../../coordination/fencing.ts'
import type { StoreModel } from '../../models/store/store-model.ts'
import { InvariantViolation } from './violation.ts'

/**
 * Who is told that it has a right has it by the store's order too, at that moment of true time: the holder's clock stops before the store's does. Gray and Cheriton,
 * "Leases" (1989), section 3.1. `model` is the newest committed state.
 */
export function checkHeldIsInStore(
  user: string,
  { key, token }: Fence,
  model: Pick<StoreModel, 'range'>,
): InvariantViolation | undefined {
  const [kv] = model.range({ key, keysOnly: true }).kvs
  if (kv?.createRevision === token) return undefined
  const found = kv === undefined ? 'the store does not have the key' : `the store has ${kv.createRevision}`
  return new InvariantViolation(
    'held-is-in-store',
    `${user} is told that it has ${key} with token ${token}, and ${found}`,
  )
}
