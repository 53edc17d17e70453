import { isAlthingError, open } from 'althing'
import { Discovery, type LiveSet, type ServiceInstance } from 'althing/coordination'
import { answerParent } from '../scale/bench-process.ts'
import { heapMebibytesInUse } from '../scale/heap-in-use.ts'
import { monotonicMs } from '../scale/watchers.ts'
import { counted, type TrafficCount } from './counted-store.ts'
import type { ReaderCalls, ReaderRequest } from './reader.ts'

const pollMs = 1_000
const withinMs = 30_000

/** Of each client: when it first saw an instance of that weight. */
const arrivals: Map<number, number>[] = []
const liveSets: LiveSet[] = []
const traffic: TrafficCount = { requests: 0, bytes: 0 }
let isAttentive = false

const calls: ReaderCalls = {
  start,
  async caughtUp(instances) {
    await until(() => liveSets.every(({ current }) => current.instances.length === instances))
    return null
  },
  heap: () => Promise.resolve(heapMebibytesInUse()),
  attend() {
    isAttentive = true
    return Promise.resolve(null)
  },
  traffic: () => Promise.resolve({ ...traffic }),
  async seen({ first, count }) {
    const weights = Array.from({ length: count }, (_, i) => first + i)
    await until(() => arrivals.every((seen) => weights.every((weight) => seen.has(weight))))
    return arrivals.map((seen) => weights.map((weight) => seen.get(weight) as number))
  },
}
answerParent(calls)

async function start({ addresses, service, clients, way }: ReaderRequest): Promise<null> {
  for (let client = 0; client < clients; client++) {
    const althing = await open(`althing://${addresses.join(',')}`)
    const discovery = new Discovery({ store: counted(althing.raw, traffic), world: althing.world })
    const seen = new Map<number, number>()
    arrivals.push(seen)
    if (way === 'watch') await watch(discovery, service, seen)
    else await poll(discovery, service, seen, (client * pollMs) / clients)
  }
  return null
}

async function watch(discovery: Discovery, service: string, seen: Map<number, number>): Promise<void> {
  const live = discovery.watch(service)
  await live.ready
  liveSets.push(live)
  let before: readonly ServiceInstance[] = []
  live.subscribe(({ instances }) => {
    note(before, instances, seen)
    before = instances
  })
}

/** As the plain client does it: the whole list each second, or as soon as the one before has come. */
async function poll(
  discovery: Discovery,
  service: string,
  seen: Map<number, number>,
  afterMs: number,
): Promise<void> {
  let before: readonly ServiceInstance[] = []
  const read = async (): Promise<void> => {
    const instances = await discovery.instances(service)
    note(before, instances, seen)
    before = instances
  }
  await read()
  void (async () => {
    await pause(afterMs)
    for (;;) {
      const fromMs = monotonicMs()
      // A list that does not come in time is what polling is like; the next one tells.
      await read().catch((error: unknown) => {
        if (!isAlthingError(error)) throw error
      })
      await pause(pollMs - (monotonicMs() - fromMs))
    }
  })()
}

/** Both are ordered by id, and the instances stay the same while a change is looked for. */
function note(
  before: readonly ServiceInstance[],
  after: readonly ServiceInstance[],
  seen: Map<number, number>,
): void {
  if (!isAttentive) return
  const nowMs = monotonicMs()
  for (let i = 0; i < after.length; i++) {
    const instance = after[i] as ServiceInstance
    if (instance === before[i] || instance.weight === before[i]?.weight) continue
    if (!seen.has(instance.weight)) seen.set(instance.weight, nowMs)
  }
}

async function until(isTrue: () => boolean): Promise<void> {
  const endMs = monotonicMs() + withinMs
  while (!isTrue()) {
    if (monotonicMs() > endMs) throw new Error(`a client has not seen every change within ${withinMs} ms`)
    await pause(50)
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)))
}
