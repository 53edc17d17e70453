import { type Althing, isAlthingError, open, type Store, type WatchBatch } from 'althing'
import { Discovery, type Registration } from 'althing/coordination'
import type { Cluster, Contender } from '../cluster.ts'
import type { BenchOptions } from '../options.ts'
import { processorSeconds } from '../processor-time.ts'
import { type AreaResult, formatNumber, formatTable } from '../report.ts'
import { rounded } from '../statistics.ts'
import { startSides, stopSides } from './sides.ts'

const service = 'bench'
const instances = 10_000
const registrars = 20
/** Registrations under way at a time for each registrar. */
const registeringAtOnce = 25
const clients = 3
const pollMs = 1_000
const changesASecond = 10
const ttl = '60s'

/** What a client has asked for and been given, as far as the store is concerned. */
interface Traffic {
  requests: number
  bytes: number
}

interface Measured {
  readonly stalenessP50Ms: number
  readonly stalenessP99Ms: number
  readonly requestsASecond: number
  readonly bytesASecond: number
  readonly cpuMsASecond: number
}

const figures: readonly (readonly [string, keyof Measured])[] = [
  ['change to client, p50 ms', 'stalenessP50Ms'],
  ['change to client, p99 ms', 'stalenessP99Ms'],
  ['requests a second, each client', 'requestsASecond'],
  ['bytes of keys and values a second, each client', 'bytesASecond'],
  ['CPU of the three nodes, ms a second', 'cpuMsASecond'],
]

/** 10,000 instances of one service, ten of which change each second: clients that watch, and clients that read the whole list each second. */
export async function benchDiscovery(
  ours: Contender,
  peer: Contender,
  options: BenchOptions,
  print: (text: string) => void,
): Promise<AreaResult> {
  const sides = await startSides(ours, peer, 'ours')
  const opened: Althing[] = []
  try {
    const cluster = sides.clusters.get('ours')
    if (cluster === undefined) throw new Error(sides.descriptions.ours)
    const { addresses } = await cluster.target()
    const client = async (): Promise<Althing> => {
      const althing = await open(`althing://${addresses.join(',')}`)
      opened.push(althing)
      return althing
    }
    const startMs = performance.now()
    const registrations = await registerAll(client)
    const registeredMs = performance.now() - startMs
    print(
      `${instances} instances registered in ${Math.round(registeredMs)} ms by ${registrars} processes' worth of clients`,
    )
    const leases = (await (opened[0] as Althing).raw.leases()).length
    const seconds = Math.max(5, options.seconds)
    const watched = await measure(cluster, registrations, seconds, client, watching)
    const polled = await measure(cluster, registrations, seconds, client, polling)
    print(tableOf(watched, polled))
    return {
      area: options.area,
      ours: rounded(watched.stalenessP50Ms),
      peer: rounded(polled.stalenessP50Ms),
      ratio: rounded(polled.stalenessP50Ms / watched.stalenessP50Ms),
      unit: 'ms from a change to a client, p50',
      setup: {
        ...sides.descriptions,
        peer: `${clients} clients that read the whole list each ${pollMs} ms`,
        instances,
        clients,
        changesASecond,
        leases,
        registeredMs: Math.round(registeredMs),
        watched,
        polled,
      },
    }
  } finally {
    await Promise.allSettled(opened.map((althing) => althing.raw.close()))
    await stopSides(sides)
  }
}

async function registerAll(client: () => Promise<Althing>): Promise<readonly Registration[]> {
  const each = instances / registrars
  const registering = Array.from({ length: registrars }, async (_, r) => {
    const { discovery } = await client()
    const own: Registration[] = []
    for (let i = 0; i < each; i += registeringAtOnce) {
      const batch = Array.from({ length: registeringAtOnce }, (_each, b) => {
        const id = `i${r}-${i + b}`
        return discovery.register({ service, id, address: `10.0.${r}.1:${i + b}`, ttl, zone: `z${r % 3}` })
      })
      own.push(...(await Promise.all(batch)))
    }
    return own
  })
  return (await Promise.all(registering)).flat()
}

/** Begins to follow; `seen` is told each instance's weight whenever it is read. Resolves with the way to stop. */
type Follow = (
  althing: Althing,
  traffic: Traffic,
  seen: (id: string, weight: number) => void,
) => Promise<() => void>

async function measure(
  cluster: Cluster,
  registrations: readonly Registration[],
  seconds: number,
  client: () => Promise<Althing>,
  follow: Follow,
): Promise<Measured> {
  const changedAtMs = new Map<string, { readonly weight: number; readonly atMs: number }>()
  const delays: number[] = []
  const traffics: Traffic[] = []
  const stops: (() => void)[] = []
  for (let c = 0; c < clients; c++) {
    const traffic = { requests: 0, bytes: 0 }
    const known = new Set<string>()
    traffics.push(traffic)
    const stop = await follow(await client(), traffic, (id, weight) => {
      const change = changedAtMs.get(id)
      if (change === undefined || change.weight !== weight || known.has(`${id} ${weight}`)) return
      known.add(`${id} ${weight}`)
      delays.push(performance.now() - change.atMs)
    })
    stops.push(stop)
  }
  for (const traffic of traffics) Object.assign(traffic, { requests: 0, bytes: 0 })
  const cpuBefore = processorSeconds(cluster.pids)
  const fromMs = performance.now()
  const weight = 1 + Math.floor(fromMs % 5_000)
  const changes = seconds * changesASecond
  for (let i = 0; i < changes; i++) {
    const registration = registrations[(i * 37) % registrations.length] as Registration
    changedAtMs.set(registration.id, { weight, atMs: performance.now() })
    await registration.update({ weight })
    await pause(fromMs + ((i + 1) * 1_000) / changesASecond - performance.now())
  }
  const lengthS = (performance.now() - fromMs) / 1_000
  const cpuS = processorSeconds(cluster.pids) - cpuBefore
  const sum = (pick: (traffic: Traffic) => number): number =>
    traffics.reduce((total, each) => total + pick(each), 0)
  const requests = sum((each) => each.requests)
  const bytes = sum((each) => each.bytes)
  const deadlineMs = performance.now() + 30_000
  while (delays.length < changes * clients && performance.now() < deadlineMs) await pause(pollMs)
  for (const stop of stops) stop()
  if (delays.length !== changes * clients) {
    throw new Error(`${changes * clients - delays.length} changes were not seen`)
  }
  delays.sort((a, b) => a - b)
  return {
    stalenessP50Ms: delays[Math.floor(delays.length * 0.5)] as number,
    stalenessP99Ms: delays[Math.floor(delays.length * 0.99)] as number,
    requestsASecond: requests / clients / lengthS,
    bytesASecond: bytes / clients / lengthS,
    cpuMsASecond: (cpuS * 1_000) / lengthS,
  }
}

async function watching(...[althing, traffic, seen]: Parameters<Follow>): ReturnType<Follow> {
  const discovery = new Discovery({ store: counted(althing.raw, traffic), world: althing.world })
  const live = discovery.watch(service)
  const revisions = new Map<string, number>()
  await live.ready
  live.subscribe(({ instances: all }) => {
    for (const { id, weight, revision } of all) {
      if (revisions.get(id) === revision) continue
      revisions.set(id, revision)
      seen(id, weight)
    }
  })
  return () => live.close()
}

async function polling(...[althing, traffic, seen]: Parameters<Follow>): ReturnType<Follow> {
  const discovery = new Discovery({ store: counted(althing.raw, traffic), world: althing.world })
  let isOver = false
  const poll = async (): Promise<void> => {
    const fromMs = performance.now()
    try {
      for (const { id, weight } of await discovery.instances(service)) seen(id, weight)
    } catch (error) {
      // A list that does not come in time is what polling is like; the next one tells.
      if (isOver || !isAlthingError(error)) throw error
    }
    await pause(pollMs - (performance.now() - fromMs))
  }
  await poll()
  const polled = (async () => {
    while (!isOver) await poll()
  })()
  return () => {
    isOver = true
    // The last one may find its client closed.
    polled.catch(() => {})
  }
}

/** Counts what a client asks for and is given: reads, and the batches of watches. */
function counted(store: Store, traffic: Traffic): Store {
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
        if (batch.kind === 'events') {
          for (const event of batch.events) {
            if (event.type === 'put') traffic.bytes += event.kv.key.length + event.kv.value.byteLength
            else traffic.bytes += event.key.length
          }
        }
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

function tableOf(watched: Measured, polled: Measured): string {
  const rows = figures.map(([name, key]) => [
    name,
    formatNumber(watched[key]),
    formatNumber(polled[key]),
    formatNumber(polled[key] / watched[key]),
  ])
  return formatTable([`${instances} instances, ${clients} clients`, 'watched', 'polled', 'ratio'], rows)
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)))
}
