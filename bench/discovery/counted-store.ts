import type { Store, WatchBatch } from 'althing'

export interface TrafficCount {
  requests: number
  bytes: number
}

/** Counts what a client asks of its store and is given: reads, and the batches of watches. */
export function counted(store: Store, traffic: TrafficCount): Store {
  const range: Store['range'] = async (...args) => {
    const reply = await store.range(...args)
    traffic.requests++
    for (const { key, value } of reply.kvs) traffic.bytes += key.length + value.byteLength
    return reply
  }
  const watch: Store['watch'] = (request) => {
    const inner = store.watch(request)
    traffic.requests++
    async function* batches(): AsyncGenerator<WatchBatch> {
      for await (const batch of inner) {
        count(batch, traffic)
        yield batch
      }
    }
    return { close: () => inner.close(), [Symbol.asyncIterator]: batches } as ReturnType<Store['watch']>
  }
  return new Proxy(store, {
    get(target, name) {
      if (name === 'range') return range
      if (name === 'watch') return watch
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

function count(batch: WatchBatch, traffic: TrafficCount): void {
  if (batch.kind !== 'events') return
  for (const event of batch.events) {
    if (event.type === 'put') traffic.bytes += event.kv.key.length + event.kv.value.byteLength
    else traffic.bytes += event.key.length
  }
}
