import type { Figure } from '../figure.ts'
import { h2loadUnavailable, runH2load } from '../peers/h2load.ts'
import { valueBytes, warmupMs } from './rates.ts'
import type { Measuring } from './store.ts'

const key = 'bench-http'

/** Our HTTP API on the node that leads, driven by a native client over HTTP/1.1: for the record, there is no peer. */
export async function measureHttp(measuring: Measuring, notes: string[]): Promise<Figure[]> {
  const address = await measuring.sides.clusters.get('ours')?.httpAddress?.()
  if (address === undefined) return []
  const problem = h2loadUnavailable()
  if (problem !== undefined) {
    notes.push(`our HTTP API: not tested, ${problem}`)
    return []
  }
  const url = `http://${address}/api/v1/kv/${key}`
  const put = await rates(measuring, { url, method: 'PUT', body: Buffer.alloc(valueBytes, 0x61) })
  const get = await rates(measuring, { url, method: 'GET' })
  const name = (operation: string) => `HTTP ${operation}, ${measuring.clients} clients`
  return [
    { name: name('put'), unit: 'op/s', better: 'more', ours: put, peer: [] },
    { name: name('get'), unit: 'op/s', better: 'more', ours: get, peer: [] },
  ]
}

async function rates(
  { rounds, seconds, clients }: Measuring,
  request: { readonly url: string; readonly method: 'PUT' | 'GET'; readonly body?: Uint8Array },
): Promise<number[]> {
  const found: number[] = []
  for (let round = 0; round < rounds; round++) {
    const load = { ...request, headers: {}, clients, seconds, warmupSeconds: warmupMs / 1_000, http1: true }
    const { requestsPerSecond } = await runH2load(load)
    found.push(requestsPerSecond)
  }
  return found
}
