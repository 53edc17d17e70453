import { request } from 'undici'
import { AlthingError } from '../../contracts/errors.ts'
import type { ServiceInstance } from '../../coordination/discovery/discovery-types.ts'

/** One gateway and what it says of itself. */
export interface GatewayView {
  readonly id: string
  /** Where its clients come to. */
  readonly address: string
  /** As the gateway gives it; null when it does not answer. */
  readonly stats: unknown
  /** Why there are no stats. */
  readonly problem?: string
}

const replyTimeoutMs = 800
const replyBytesMax = 4 * 1024 * 1024
const loopback = /^(127(\.\d{1,3}){3}|localhost|\[::1\]):\d{1,5}$/

export function gatewayViews(instances: readonly ServiceInstance[]): Promise<readonly GatewayView[]> {
  return Promise.all(instances.map(gatewayView))
}

async function gatewayView({ id, address, metadata }: ServiceInstance): Promise<GatewayView> {
  const admin = metadata['admin']
  // Anyone who may write to the store can write this address: only this machine's own are asked.
  if (admin === undefined || !loopback.test(admin))
    return { id, address, stats: null, problem: 'it has registered no admin address of this machine' }
  try {
    return { id, address, stats: await fetchStats(admin) }
  } catch (error) {
    return { id, address, stats: null, problem: error instanceof Error ? error.message : String(error) }
  }
}

async function fetchStats(admin: string): Promise<unknown> {
  const reply = await request(`http://${admin}/stats`, {
    headersTimeout: replyTimeoutMs,
    bodyTimeout: replyTimeoutMs,
  })
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of reply.body as AsyncIterable<Uint8Array>) {
    length += chunk.byteLength
    if (length > replyBytesMax)
      throw new AlthingError('too-large', `its stats are over ${replyBytesMax} bytes`)
    chunks.push(chunk)
  }
  if (reply.statusCode !== 200)
    throw new AlthingError('unavailable', `it answered with status ${reply.statusCode}`)
  return JSON.parse(Buffer.concat(chunks).toString('utf8'))
}
