import type { AlthingError } from '../../contracts/errors.ts'
import type { ReadOptions, RangeReply, RangeRequest, Store } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import type { NodeStatus } from '../../engines/cluster/node-status.ts'
import type { Plain } from '../../engines/cluster/operator-calls.ts'
import type { NodeServices } from '../node-services.ts'
import type { HealthWatch } from '../diagnosis/health-watch.ts'
import type { HttpAccess } from './http-access.ts'
import type { ControlClient } from './control-client.ts'
import type { LiveFeed } from './live-feed.ts'
import type { MemberClients } from './member-clients.ts'
import type { StreamSlots } from './stream-slots.ts'

/** The node behind the API, as far as the API needs it. */
export interface ServedNode {
  status(): NodeStatus
  /** Why it serves nothing any more. */
  failure(): AlthingError | undefined
  /** The node's own copy, asked without the cluster. */
  rangeHere(request: RangeRequest): Promise<RangeReply>
  /** An operator call, made for the caller of the request that is being served; see `OperatorCalls`. */
  operate(name: string, argument: Plain): Promise<Plain>
}

/** What the routes work with. */
export interface HttpContext {
  readonly world: World
  readonly node: ServedNode
  /** The cluster, through this node first, as the caller of the request that is being served may use it. */
  readonly store: Store
  readonly members: MemberClients
  readonly access: HttpAccess
  readonly live: LiveFeed
  readonly health: HealthWatch
  /** Bounds the event streams that are open. */
  readonly streams: StreamSlots
  /** Absent unless the node runs under the supervisor of a local cluster. */
  readonly control: ControlClient | undefined
  /** How well the node knows the services; absent: it does not follow them. */
  readonly services: NodeServices | undefined
  /** Closes what was opened for the callers, and for the node itself. */
  closeStores(): Promise<void>
  /** Prometheus text, and its media type. */
  metrics(): Promise<{ readonly text: string; readonly contentType: string }>
}

/** Time for a call on the store that the caller gave no time. */
export const callTimeoutMs = 5_000

/** Options of a call made for a request: it ends with the request. */
export function callOptions(signal: AbortSignal, timeoutMs = callTimeoutMs): ReadOptions {
  return { signal, timeoutMs }
}
