import { isAlthingError } from '../../contracts/errors.ts'
import type { KeyValue } from '../../contracts/store.ts'
import { decodeInstance } from '../../coordination/discovery/instance-entry.ts'
import { readWholeRange } from '../../coordination/range-pages.ts'
import type { ServiceInstance } from '../../coordination/discovery/discovery-types.ts'
import type { HttpContext } from './http-context.ts'

export interface ServiceFilter {
  /** Only those that may be given new work. */
  readonly isHealthyOnly: boolean
  readonly zone: string | undefined
  readonly appVersion: string | undefined
}

export function matches(instance: ServiceInstance, filter: ServiceFilter): boolean {
  const { zone, appVersion, isHealthyOnly } = filter
  if (isHealthyOnly && (instance.state !== 'up' || instance.health.state !== 'healthy')) return false
  if (zone !== undefined && instance.zone !== zone) return false
  return appVersion === undefined || instance.version === appVersion
}

/** What a part of the registry holds, and how far it can be relied on. */
export interface Lookup {
  readonly instances: readonly ServiceInstance[]
  readonly revision: number
  readonly stale: boolean
  readonly ageMs: number
}

interface LookupOptions {
  readonly consistency: 'linearizable' | 'serializable' | undefined
  readonly timeoutMs: number
  readonly signal?: AbortSignal
}

/**
 * Reads a part of the registry as the caller may read it. When the cluster cannot say (no quorum, no leader), the last that this node knows, marked as such: an old
 * address is better than none.
 */
export async function lookUp(
  http: Pick<HttpContext, 'store' | 'node' | 'services'>,
  range: { readonly key: string; readonly end: string },
  options: LookupOptions,
): Promise<Lookup> {
  const { consistency = 'linearizable', timeoutMs, signal } = options
  if (consistency === 'linearizable') {
    try {
      const call = signal === undefined ? { timeoutMs } : { timeoutMs, signal }
      const { revision, kvs } = await readWholeRange(http.store, range, call)
      return { ...decoded(kvs), revision, stale: false, ageMs: 0 }
    } catch (error) {
      const isCutOff = isAlthingError(error, 'unavailable') || isAlthingError(error, 'timeout')
      if (!isCutOff || signal?.aborted === true) throw error
    }
  }
  const { revision, kvs } = await readHere(http, range)
  const isCutOff = consistency === 'linearizable'
  const { stale, ageMs } = http.services?.freshness ?? { stale: isCutOff, ageMs: 0 }
  return { ...decoded(kvs), revision, stale: stale || isCutOff, ageMs }
}

async function readHere(
  http: Pick<HttpContext, 'node'>,
  range: { readonly key: string; readonly end: string },
): Promise<{ readonly revision: number; readonly kvs: readonly KeyValue[] }> {
  const kvs: KeyValue[] = []
  for (let key = range.key; ; ) {
    const reply = await http.node.rangeHere({ ...range, key })
    kvs.push(...reply.kvs)
    const last = reply.kvs.at(-1)
    if (!reply.more || last === undefined) return { revision: reply.revision, kvs }
    key = `${last.key}\u0000`
  }
}

function decoded(kvs: readonly KeyValue[]): { readonly instances: readonly ServiceInstance[] } {
  return { instances: kvs.flatMap((kv) => decodeInstance(kv) ?? []) }
}
