import { decodeCommand, encodeCommand } from '../../src/models/store/codec.ts'
import { StoreModel } from '../../src/models/store/store-model.ts'
import type { StoreCommand } from '../../src/models/store/types.ts'

/** Fills a store with keys of 32 bytes, and prints what each costs. Run with `--expose-gc`. */
const keys = Number(process.argv[2])
const valueBytes = Number(process.argv[3])
const stamp = { session: 0, sequence: 0, acknowledged: 0 }
/** Prime to any number of keys used here: the keys come in no order. */
const stride = 7_919

async function settledMemory(): Promise<NodeJS.MemoryUsage> {
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.()
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return process.memoryUsage()
}

function apply(model: StoreModel, command: StoreCommand): void {
  model.apply(decodeCommand(encodeCommand(command)))
}

const model = new StoreModel()
const before = await settledMemory()
const startMs = performance.now()
for (let i = 0; i < keys; i++) {
  const key = `key/${String((i * stride) % keys).padStart(28, '0')}`
  const put = { op: 'put', key, value: Buffer.alloc(valueBytes, i) } as const
  apply(model, { ...stamp, type: 'txn', compare: [], then: [put], else: [] })
  if (i % 10_000 !== 9_999) continue
  apply(model, { ...stamp, type: 'compact', revision: model.revision })
  await new Promise((resolve) => setImmediate(resolve))
}
const putUs = ((performance.now() - startMs) * 1_000) / keys
apply(model, { ...stamp, type: 'compact', revision: model.revision })
const after = await settledMemory()
const each = (name: 'heapUsed' | 'external' | 'rss') => (after[name] - before[name]) / keys
const report = {
  heap: each('heapUsed'),
  external: each('external'),
  resident: each('rss'),
  counted: model.stats.bytes / keys,
  putUs,
}
process.stdout.write(JSON.stringify(report))
