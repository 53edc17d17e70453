import { isAlthingError } from '../../contracts/errors.ts'
import { quotaBytesMin } from '../../engines/local/store-admission.ts'
import { attempt, type ClientContext, type ClientProgram, think } from './client-process.ts'

/** Of a value of the filler: a few fill the smallest quota that there is. */
const fillBytes = 1_000_000
const fillKeysMax = 2 * Math.ceil(quotaBytesMin / fillBytes)

export type FillerCounts = { quotaHit: number; quotaFreed: number }

/** Fills the store until it refuses, makes room as it is told to, and must then be let in again. */
export function createFiller(counts: FillerCounts): ClientProgram {
  return async (context) => {
    while (!context.isStopping()) {
      if (await fill(context)) {
        counts.quotaHit++
        await makeRoom(context)
        if (await fits(context)) counts.quotaFreed++
      }
      await think(context, 1_000)
    }
    await makeRoom(context)
  }
}

/** Whether the store refused for want of room. */
async function fill(context: ClientContext): Promise<boolean> {
  for (let i = 0; i < fillKeysMax && !context.isStopping(); i++) {
    const answer = await put(context, `f/${i % 24}`)
    if (answer === 'refused') return true
  }
  return false
}

async function fits(context: ClientContext): Promise<boolean> {
  return (await put(context, 'f/0')) === 'done'
}

async function put({ store }: ClientContext, key: string): Promise<'done' | 'refused' | 'failed'> {
  try {
    await store.txn({ then: [{ op: 'put', key, value: new Uint8Array(fillBytes) }] })
    return 'done'
  } catch (error) {
    return isAlthingError(error, 'no-space') ? 'refused' : 'failed'
  }
}

/** Deletes go through a full store, and so does the compaction that frees what they leave. */
async function makeRoom(context: ClientContext): Promise<void> {
  const { store } = context
  await attempt(context, async () => {
    const { revision } = await store.txn({ then: [{ op: 'delete', key: 'f/', end: 'f0' }] })
    await store.compact(revision)
  }, ['compacted'])
}
