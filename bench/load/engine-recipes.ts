import { type Althing, open, type WatchBatch } from 'althing'
import { LatencyHistogram } from './latency-histogram.ts'
import type { EngineRecipeReport, EngineRecipeRequest, Recipe } from './load.ts'
import { runSlice } from './slice.ts'

/** Measures for `sliceMs`; resolves with acquires a second, or milliseconds (median). */
type Measure = (sliceMs: number) => Promise<number>

const seenWithinMs = 30_000
const service = 'bench-service'
const watchedKey = 'bench-watched'

const recipes: Readonly<
  Record<Recipe, (althing: Althing, request: EngineRecipeRequest) => Promise<Measure>>
> = {
  lock: lockRate,
  watch: watchLatency,
  discovery: discoveryLatency,
}

/** One recipe on one engine, as an application would call it. */
export async function runEngineRecipe(request: EngineRecipeRequest): Promise<EngineRecipeReport> {
  const althing = await open(request.url, { accept: request.accept })
  const measure = await recipes[request.recipe](althing, request)
  await measure(request.warmupMs)
  const rounds: number[] = []
  for (let round = 0; round < request.rounds; round++) rounds.push(await measure(request.sliceMs))
  await althing.close()
  return { rounds }
}

/** Acquire and release, each caller a lock of its own. */
async function lockRate({ locks }: Althing, { callers }: EngineRecipeRequest): Promise<Measure> {
  const once = async (caller: number): Promise<void> => {
    const lock = await locks.acquire(`bench/${caller}`)
    await lock.release()
  }
  return async (sliceMs) => {
    const { operationsPerSecond, failure } = await runSlice(callers, sliceMs, once)
    if (failure !== undefined) throw new Error(failure)
    return operationsPerSecond
  }
}

/** From the call of a put to the moment when a watch of its key has it. */
async function watchLatency({ raw }: Althing, { valueBytes }: EngineRecipeRequest): Promise<Measure> {
  const value = Buffer.alloc(valueBytes, 0x61)
  const batches = raw.watch({ key: watchedKey })[Symbol.asyncIterator]()
  await batches.next()
  return medianOf(async () => {
    const seen = eventAfter(batches)
    await raw.txn({ then: [{ op: 'put', key: watchedKey, value }] })
    await seen
  })
}

async function eventAfter(batches: AsyncIterator<WatchBatch>): Promise<void> {
  for (;;) {
    const { done, value } = await batches.next()
    if (done === true) throw new Error('the watch has ended')
    if (value.kind === 'events') return
  }
}

/** From the call of `register` to the moment when a live set of the service has the instance. It leaves again outside of what is measured. */
async function discoveryLatency({ discovery }: Althing): Promise<Measure> {
  const live = discovery.watch(service)
  await live.ready
  const changes = live.changes[Symbol.asyncIterator]()
  const until = async (instances: number): Promise<void> => {
    for (;;) {
      if (live.current.instances.length === instances) return
      const { done } = await changes.next()
      if (done === true) throw new Error('the live set has ended')
    }
  }
  let registered = 0
  return medianOf(
    async () => {
      const seen = until(1)
      const id = `instance-${registered++}`
      const registration = await discovery.register({ service, id, address: '127.0.0.1:80' })
      await seen
      return registration
    },
    async (registration) => {
      await registration.deregister()
      await until(0)
    },
  )
}

/** `after` puts things back, unmeasured. */
function medianOf<T>(once: () => Promise<T>, after: (result: T) => Promise<void> = async () => {}): Measure {
  return async (sliceMs) => {
    const latencies = new LatencyHistogram()
    const endMs = performance.now() + sliceMs
    while (performance.now() < endMs) {
      const startMs = performance.now()
      const result = await withinLimit(once())
      latencies.record(performance.now() - startMs)
      await withinLimit(after(result))
    }
    return latencies.percentileMs(50)
  }
}

function withinLimit<T>(promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`not seen within ${seenWithinMs} ms`)), seenWithinMs)
    promise.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
