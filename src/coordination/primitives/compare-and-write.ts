import { AlthingError } from '../../contracts/errors.ts'
import type { CallOptions, Compare, KeyValue, Operation, Store } from '../../contracts/store.ts'
import { type Fence, fencedTxn } from '../fencing.ts'

export interface WriteOptions extends CallOptions {
  /** The store refuses the write (`stale-token`, nothing changed) once the right of this lock, leadership or run has ended. */
  readonly fence?: Fence
}

/** What a change makes of what it finds: the value to write, or `undefined` to leave all as it is. */
export type Change<T> = (found: KeyValue | undefined) => { readonly write?: Operation; readonly result: T }

/** So often may others be faster: then `conflict`. */
const attemptsMax = 100

/**
 * Reads a key and writes it if nobody was faster; otherwise again, with what the refused transaction has read. `guess` saves the first read where it is
 * right. Linearizable: the read is confirmed by the write, or, where nothing is written, made anew.
 */
export async function compareAndWrite<T>(
  store: Store,
  key: string,
  change: Change<T>,
  options: WriteOptions = {},
  guess?: KeyValue,
): Promise<{ readonly result: T; readonly revision: number; readonly attempts: number }> {
  const { fence, ...call } = options
  let found = guess ?? (await store.range({ key }, call)).kvs[0]
  for (let attempts = 1; attempts <= attemptsMax; attempts++) {
    const { write, result } = change(found)
    const compare: Compare = { target: 'modRevision', key, op: '=', value: found?.modRevision ?? 0 }
    const then = write === undefined ? [] : [write]
    const otherwise = [{ op: 'range' as const, key }]
    const reply =
      fence === undefined
        ? await store.txn({ compare: [compare], then, else: otherwise }, call)
        : await fencedTxn(store, fence, { compare: [compare], then, else: otherwise }, call)
    if (reply.succeeded) return { result, revision: reply.revision, attempts }
    const [read] = reply.replies
    found = read?.op === 'range' ? read.kvs[0] : undefined
  }
  throw new AlthingError('conflict', `${key} was changed by others each of ${attemptsMax} times`, {
    outcome: 'none',
    retryable: true,
    details: { key },
  })
}
