import { attempt, type ClientContext, type ClientProgram, think } from './client-process.ts'
import { RecordedStore } from './recorded-store.ts'

/** Keys of single-key calls begin with `k`, those of transactions over several keys with `m`. */
export const keyRange = { key: 'k', end: 'l' } as const
export const txnRange = { key: 'm', end: 'n' } as const

/** Reads and writes keys that other clients read and write too, with several calls under way. */
export const runKeyClient: ClientProgram = async (context) => {
  const { concurrency } = context.configuration
  await Promise.all(
    Array.from({ length: concurrency }, (_, i) => runSession(context, `${context.name}/${i}`)),
  )
}

async function runSession(context: ClientContext, name: string): Promise<void> {
  const store = new RecordedStore(context, name)
  const { thinkMsMean, burstCalls, restMsMean } = context.configuration
  while (!context.isStopping()) {
    for (let calls = 0; calls < burstCalls && !context.isStopping(); calls++) {
      await callOnce(context, store)
      await think(context, thinkMsMean)
    }
    await think(context, restMsMean)
  }
}

async function callOnce(context: ClientContext, store: RecordedStore): Promise<void> {
  const { random, configuration } = context
  const key = `k${random.integer(1, configuration.keys)}`
  const draw = random.float()
  if (random.chance(configuration.compactRate)) return compact(context)
  if (draw < 0.3) return void (await store.put(key))
  if (draw < 0.55) return void (await store.get(key))
  if (draw < 0.65) return store.delete(key)
  if (draw < 0.77) return compareAndPut(context, store, key)
  if (draw < 0.84) return putMany(context, store)
  if (draw < 0.87) return store.getMany(context.random.shuffle(['m1', 'm2', 'm3']).slice(0, 2))
  if (draw < 0.93) return store.look(random.chance(0.5) ? keyRange : { key })
  return store.list(random.chance(0.5) ? keyRange : txnRange)
}

async function compareAndPut({ random }: ClientContext, store: RecordedStore, key: string): Promise<void> {
  const kv = await store.get(key)
  const guess = random.chance(0.1) ? 0 : (kv?.modRevision ?? 0)
  await store.compareAndPut(key, guess)
}

async function putMany({ random }: ClientContext, store: RecordedStore): Promise<void> {
  const keys = random.shuffle(['m1', 'm2', 'm3'])
  const count = random.integer(1, 2)
  await store.putMany(keys.slice(0, count), keys.slice(0, random.integer(1, 3)))
}

/** Forgets all but the last few revisions. */
async function compact(context: ClientContext): Promise<void> {
  const { store, random } = context
  await attempt(context, async () => {
    const { revision } = await store.range({ key: 'k', countOnly: true })
    await store.compact(Math.max(1, revision - random.integer(0, 30)))
  }, ['compacted'])
}
