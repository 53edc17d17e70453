import type { KeyRange } from '../../contracts/store.ts'
import type { Fence } from '../../coordination/fencing.ts'
import type { StoreModel } from '../../models/store/store-model.ts'
import { InvariantViolation } from './violation.ts'

/**
 * Who is told that it has what others wait for stands before them all in the store's order: first come, first served. Hunt et al., "ZooKeeper" (2010), section 2.4, "Simple
 * locks without herd effect". `model` is the newest committed state.
 */
export function checkFirstInLine(
  user: string,
  { key, token }: Fence,
  line: KeyRange,
  model: Pick<StoreModel, 'range'>,
): InvariantViolation | undefined {
  const earlier = model.range({ ...line, keysOnly: true }).kvs.find((kv) => kv.createRevision < token)
  if (earlier === undefined) return undefined
  const what = `${user} is told that it has ${key} with token ${token}, and ${earlier.key}`
  return new InvariantViolation('first-in-line', `${what} with ${earlier.createRevision} is still before it`)
}
