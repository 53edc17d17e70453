import { open, type Store } from 'althing'
import type { Cluster } from '../cluster.ts'
import { processorSeconds } from '../processor-time.ts'
import { residentMebibytes } from '../scale/server-usage.ts'
import { ownArea, type Figures, roundedFigures, tableOfOwn } from './ours-only.ts'

const leases = 100_000
const grantClients = 256
/** Long enough to grant, bind and renew all of them before the first one expires. */
const ttlMs = 60_000
const keysPerTxn = 100
const renewalsPerCall = 1_000
const callMs = 30_000
const prefix = 'bench/leased/'
const headline = 'grants a second'

/** 100,000 leases with a key each on a three-member cluster: granted, renewed, listed, and expired all at once while a client goes on writing. */
export const benchLeases = ownArea(async (cluster, print) => {
  const figures = await measure(cluster, print)
  print(tableOfOwn('100,000 leases', figures))
  const setup = { leases, grantClients, ttlMs, ...roundedFigures(figures) }
  return { headline: figures[headline] ?? null, unit: 'leases/s', setup }
})

async function measure(cluster: Cluster, print: (text: string) => void): Promise<Figures> {
  const { addresses } = await cluster.target()
  const althing = await open(`althing://${addresses.join(',')}`)
  const store = althing.raw
  const leaderPids = async () => [cluster.pids[await cluster.leader()] as number]
  try {
    const memoryBefore = residentMebibytes(await leaderPids())
    const grantMs = await timed(() => grantAll(store))
    print(`granted in ${Math.round(grantMs)} ms`)
    const bindMs = await timed(() => bindAll(store))
    const memoryWith = residentMebibytes(await leaderPids())
    const listMs = await timed(async () => {
      const { length } = await store.leases({ timeoutMs: callMs })
      if (length !== leases) throw new Error(`${length} leases are there, not ${leases}`)
    })
    const cpuBefore = processorSeconds(await leaderPids())
    const renewMs = await timed(() => renewAll(store))
    const renewCpu = processorSeconds(await leaderPids()) - cpuBefore
    print(
      `bound in ${Math.round(bindMs)} ms, listed in ${Math.round(listMs)}, renewed in ${Math.round(renewMs)}`,
    )
    const expiry = await watchExpiry(store)
    return {
      [headline]: (leases * 1_000) / grantMs,
      'renewals a second': (leases * 1_000) / renewMs,
      'CPU of the leader per 1,000 renewals, ms': (renewCpu * 1_000_000) / leases,
      'listing all, ms': listMs,
      'memory of the leader per lease with its key, bytes':
        ((memoryWith - memoryBefore) * 1024 * 1024) / leases,
      ...expiry,
    }
  } finally {
    await althing.close()
  }
}

async function grantAll(store: Store): Promise<void> {
  let granted = 0
  const client = async (): Promise<void> => {
    while (granted < leases) {
      granted++
      await store.grantLease({ ttlMs }, { timeoutMs: callMs })
    }
  }
  await Promise.all(Array.from({ length: grantClients }, client))
}

async function bindAll(store: Store): Promise<void> {
  const all = await store.leases({ timeoutMs: callMs })
  for (let i = 0; i < all.length; i += keysPerTxn) {
    const then = all.slice(i, i + keysPerTxn).map(({ lease }) => {
      const key = `${prefix}${String(lease).padStart(8, '0')}`
      return { op: 'put', key, value: Buffer.alloc(64), lease } as const
    })
    await store.txn({ then }, { timeoutMs: callMs })
  }
}

async function renewAll(store: Store): Promise<void> {
  const all = (await store.leases({ timeoutMs: callMs })).map(({ lease }) => lease)
  const calls: Promise<unknown>[] = []
  for (let i = 0; i < all.length; i += renewalsPerCall) {
    const batch = all.slice(i, i + renewalsPerCall)
    calls.push(store.keepLeasesAlive?.(batch, { timeoutMs: callMs }) ?? Promise.resolve([]))
  }
  await Promise.all(calls)
}

/** All leases have the same deadline to within the time that renewing them took. */
async function watchExpiry(store: Store): Promise<Figures> {
  const delays: number[] = []
  const range = { key: prefix, end: `${prefix}~`, countOnly: true } as const
  let firstMs = 0
  for (;;) {
    const startMs = performance.now()
    await store.txn(
      { then: [{ op: 'put', key: 'bench/other', value: Buffer.alloc(256) }] },
      { timeoutMs: callMs },
    )
    const delayMs = performance.now() - startMs
    const { count } = await store.range(range, { timeoutMs: callMs })
    if (count < leases && firstMs === 0) firstMs = performance.now()
    if (firstMs > 0) delays.push(delayMs)
    if (count === 0) break
    if (firstMs === 0) await new Promise((resolve) => setTimeout(resolve, 10))
  }
  delays.sort((a, b) => a - b)
  const at = (share: number) =>
    delays[Math.min(delays.length - 1, Math.floor(delays.length * share))] as number
  return {
    'expiry of all, ms': performance.now() - firstMs,
    'a put meanwhile, p50 ms': at(0.5),
    'a put meanwhile, p99 ms': at(0.99),
    'a put meanwhile, max ms': at(1),
  }
}

async function timed(work: () => Promise<void>): Promise<number> {
  const startMs = performance.now()
  await work()
  return performance.now() - startMs
}
