import type { Operation, Store, TxnReply } from '../../contracts/store.ts'
import { changeOperations, scheduleKey } from './cron-keys.ts'
import type { CronChange } from './cron-state.ts'

/** Writes the change if the state is still the one of which it was made (0: there was none). */
export async function writeChange(
  store: Store,
  name: string,
  change: CronChange,
  modRevision: number,
  more: readonly Operation[] = [],
): Promise<TxnReply> {
  return await store.txn({
    compare: [{ target: 'modRevision', key: scheduleKey(name), op: '=', value: modRevision }],
    then: [...changeOperations(name, change), ...more],
  })
}
