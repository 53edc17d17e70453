import type { Cluster, Contender } from '../cluster.ts'
import type { ReaderCalls, ReadingWay } from '../discovery/reader.ts'
import type { RegistrarCalls } from '../discovery/registrar.ts'
import type { BenchOptions } from '../options.ts'
import { processorSeconds } from '../processor-time.ts'
import { type AreaResult, formatNumber, formatTable } from '../report.ts'
import { BenchProcess } from '../scale/bench-process.ts'
import { residentMebibytes } from '../scale/server-usage.ts'
import { rounded } from '../statistics.ts'
import { startSides, stopSides } from './sides.ts'

const service = 'bench'
const sizes = [2_500, 5_000, 10_000]
const clients = 3
const changesASecond = 10
/** Changes of one run, so that no two runs make the same weight. */
const weightsOfRun = 4_000
const secondsMin = 10
/** For the nodes to write their snapshots, and the registrations to set their watches. */
const settleMs = 3_000
const mebibyte = 1024 * 1024

/** When so many instances are there. */
interface Growth {
  readonly instances: number
  readonly added: number
  readonly addedMs: number
  readonly nodesMib: number
  readonly registrarMib: number
  readonly watcherMib: number
  /** CPU of the clients that watch, while these were added. */
  readonly watcherCpuMs: number
  readonly nodesCpuMs: number
}

interface Followed {
  readonly stalenessP50Ms: number
  readonly stalenessP99Ms: number
  readonly requestsASecond: number
  readonly bytesASecond: number
  readonly clientCpuMsASecond: number
  readonly nodeCpuMsASecond: number
}

const figures: readonly (readonly [string, keyof Followed])[] = [
  ['change to client, p50 ms', 'stalenessP50Ms'],
  ['change to client, p99 ms', 'stalenessP99Ms'],
  ['requests a second, each client', 'requestsASecond'],
  ['bytes of keys and values a second, each client', 'bytesASecond'],
  ['CPU of each client, ms a second', 'clientCpuMsASecond'],
  ['CPU of the three nodes, ms a second', 'nodeCpuMsASecond'],
]

/**
 * 10,000 instances of one service, registered over TCP while three clients watch: what 2,500, 5,000 and 10,000 of them cost; and then ten changes a second, as clients that watch and clients that
 * read the whole list each second see them. Who registers and who follows are processes of their own.
 */
export async function benchDiscovery(
  ours: Contender,
  peer: Contender,
  options: BenchOptions,
  print: (text: string) => void,
): Promise<AreaResult> {
  const sides = await startSides(ours, peer, 'ours')
  const registrar = new BenchProcess<RegistrarCalls>(programOf('registrar-process'))
  const readers: BenchProcess<ReaderCalls>[] = []
  try {
    const cluster = sides.clusters.get('ours')
    if (cluster === undefined) throw new Error(sides.descriptions.ours)
    const { addresses } = await cluster.target()
    const reader = async (way: ReadingWay): Promise<BenchProcess<ReaderCalls>> => {
      const started = new BenchProcess<ReaderCalls>(programOf('reader-process'))
      readers.push(started)
      await started.ask('start', { addresses, service, clients, way })
      return started
    }
    const seconds = Math.max(secondsMin, options.seconds)
    const watcher = await reader('watch')
    const growth = await grow(cluster, addresses, registrar, watcher)
    print(tableOfGrowth(growth))
    const watched = await follow(cluster, registrar, watcher, { seconds, firstWeight: 1 })
    watcher.kill()
    const poller = await reader('poll')
    const polled = await follow(cluster, registrar, poller, { seconds, firstWeight: 1 + weightsOfRun })
    print(`\n${tableOf(watched, polled)}`)
    return {
      area: options.area,
      ours: rounded(watched.stalenessP50Ms),
      peer: rounded(polled.stalenessP50Ms),
      ratio: rounded(polled.stalenessP50Ms / watched.stalenessP50Ms),
      unit: 'ms from a change to a client, p50',
      setup: {
        ...sides.descriptions,
        peer: `${clients} clients that read the whole list each second`,
        clients,
        changesASecond,
        growth,
        watched,
        polled,
      },
    }
  } finally {
    for (const each of [registrar, ...readers]) each.kill()
    await stopSides(sides)
  }
}

function programOf(name: string): URL {
  return new URL(`../discovery/${name}.js`, import.meta.url)
}

async function grow(
  cluster: Cluster,
  addresses: readonly string[],
  registrar: BenchProcess<RegistrarCalls>,
  watcher: BenchProcess<ReaderCalls>,
): Promise<readonly Growth[]> {
  // What the clients need of themselves is there before anything is counted.
  await registrar.ask('register', { addresses, service, count: 0 })
  const growth = [await stateOf(cluster, registrar, watcher, { instances: 0, added: 0, addedMs: 0 })]
  for (const instances of sizes) {
    const added = instances - (growth.at(-1) as Growth).instances
    const cpuBefore = [processorSeconds(cluster.pids), processorSeconds(watcher.pids)] as const
    const addedMs = await registrar.ask('register', { addresses, service, count: added })
    await watcher.ask('caughtUp', instances)
    const watcherCpuMs = 1_000 * (processorSeconds(watcher.pids) - cpuBefore[1])
    const nodesCpuMs = 1_000 * (processorSeconds(cluster.pids) - cpuBefore[0])
    const state = await stateOf(cluster, registrar, watcher, { instances, added, addedMs })
    growth.push({ ...state, watcherCpuMs, nodesCpuMs })
  }
  return growth
}

async function stateOf(
  cluster: Cluster,
  registrar: BenchProcess<RegistrarCalls>,
  watcher: BenchProcess<ReaderCalls>,
  done: Pick<Growth, 'instances' | 'added' | 'addedMs'>,
): Promise<Growth> {
  await pause(settleMs)
  return {
    ...done,
    nodesMib: residentMebibytes(cluster.pids),
    registrarMib: await registrar.ask('heap', undefined),
    watcherMib: await watcher.ask('heap', undefined),
    watcherCpuMs: 0,
    nodesCpuMs: 0,
  }
}

async function follow(
  cluster: Cluster,
  registrar: BenchProcess<RegistrarCalls>,
  reader: BenchProcess<ReaderCalls>,
  { seconds, firstWeight }: { readonly seconds: number; readonly firstWeight: number },
): Promise<Followed> {
  const changes = Math.min(weightsOfRun, seconds * changesASecond)
  await reader.ask('attend', undefined)
  const before = await reader.ask('traffic', undefined)
  const cpuBefore = [processorSeconds(cluster.pids), processorSeconds(reader.pids)] as const
  const made = await registrar.ask('change', { changes, aSecond: changesASecond, firstWeight })
  const lengthS = made.lengthMs / 1_000
  const nodeCpuS = processorSeconds(cluster.pids) - cpuBefore[0]
  const clientCpuS = processorSeconds(reader.pids) - cpuBefore[1]
  const after = await reader.ask('traffic', undefined)
  const seen = await reader.ask('seen', { first: firstWeight, count: changes })
  const delays = seen.flatMap((ofClient) => ofClient.map((ms, i) => ms - (made.startedMs[i] as number)))
  delays.sort((a, b) => a - b)
  return {
    stalenessP50Ms: delays[Math.floor(delays.length * 0.5)] as number,
    stalenessP99Ms: delays[Math.floor(delays.length * 0.99)] as number,
    requestsASecond: (after.requests - before.requests) / clients / lengthS,
    bytesASecond: (after.bytes - before.bytes) / clients / lengthS,
    clientCpuMsASecond: (clientCpuS * 1_000) / clients / lengthS,
    nodeCpuMsASecond: (nodeCpuS * 1_000) / lengthS,
  }
}

/** What grows with the instances is told for each of those that were added: where it is linear, the rows are alike. */
function tableOfGrowth(growth: readonly Growth[]): string {
  const [first] = growth as [Growth]
  const rows = growth.slice(1).map((each) => {
    const kibEach = (mib: number): string => formatNumber((mib * mebibyte) / each.instances / 1024)
    const msEach = (ms: number): string => formatNumber(ms / each.added)
    return [
      each.instances.toLocaleString('en-US'),
      formatNumber(each.addedMs / 1_000),
      msEach(each.addedMs),
      msEach(each.nodesCpuMs),
      msEach(each.watcherCpuMs / clients),
      formatNumber(each.nodesMib),
      formatNumber(each.registrarMib),
      kibEach(each.registrarMib - first.registrarMib),
      formatNumber(each.watcherMib),
      kibEach((each.watcherMib - first.watcherMib) / clients),
    ]
  })
  const before = ['0', '-', '-', '-', '-', first.nodesMib, first.registrarMib, '-', first.watcherMib, '-']
  return formatTable(
    [
      'instances',
      'added in s',
      'ms each',
      'CPU ms of nodes each',
      'of a watcher each',
      'nodes, resident MiB',
      'registrar, heap MiB',
      'KiB each',
      'watchers, heap MiB',
      'KiB each and client',
    ],
    [before.map((cell) => (typeof cell === 'number' ? formatNumber(cell) : cell)), ...rows],
  )
}

function tableOf(watched: Followed, polled: Followed): string {
  const rows = figures.map(([name, key]) => [
    name,
    formatNumber(watched[key]),
    formatNumber(polled[key]),
    watched[key] === 0 ? '-' : formatNumber(polled[key] / watched[key]),
  ])
  return formatTable([`${sizes.at(-1)} instances, ${clients} clients`, 'watched', 'polled', 'ratio'], rows)
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
