import { asAlthingError } from '../../contracts/errors.ts'
import type { ReadOptions } from '../../contracts/store.ts'
import type { LockExplanation } from '../../coordination/locks/lock-types.ts'
import { LockOverview } from '../../coordination/locks/lock-overview.ts'
import { SemaphoreOverview } from '../../coordination/semaphores/semaphore-overview.ts'
import type { SemaphoreExplanation } from '../../coordination/semaphores/semaphore-types.ts'
import type { Finding } from '../diagnosis/finding.ts'
import { servicesPrefix } from '../../coordination/discovery/instance-entry.ts'
import { prefixRange } from '../../coordination/locks/lock-entry.ts'
import { gatewayService } from '../gateway-server.ts'
import type { ProcessStatus } from '../supervisor.ts'
import { answersOf, type ClusterView, clusterView } from './cluster-view.ts'
import { type ElectionOverview, listElections } from './election-overview.ts'
import { type GatewayView, gatewayViews } from './gateway-stats.ts'
import type { HttpContext } from './http-context.ts'
import { type Lookup, lookUp } from './service-lookup.ts'
import { groupServices, type ServiceView } from './service-overview.ts'
import { type TrafficView, TrafficMeter } from './traffic-meter.ts'

/** All that the console shows, at about one moment. A part that cannot be read now is null, and `problems` says why. */
export interface LiveSnapshot {
  readonly cluster: ClusterView
  readonly locks: readonly LockExplanation[] | null
  readonly semaphores: readonly SemaphoreExplanation[] | null
  readonly elections: readonly ElectionOverview[] | null
  readonly services: readonly ServiceView[] | null
  /** Null: `services` are as of now. Else the cluster cannot say, and they are what this node knew last. */
  readonly staleServices: StaleServices | null
  readonly gateway: readonly GatewayView[] | null
  /** Null too where no supervisor runs. */
  readonly processes: readonly ProcessStatus[] | null
  readonly traffic: TrafficView
  /** What endangers the cluster, most serious first; what is well is left out. */
  readonly findings: readonly Finding[]
  readonly problems: Readonly<Record<string, string>>
}

export interface StaleServices {
  /** Since the node heard from the cluster last; absent: it has not since it started. */
  readonly ageMs?: number
}

type SnapshotContext = Pick<
  HttpContext,
  'world' | 'node' | 'members' | 'store' | 'control' | 'health' | 'services'
>

/** Short: the console must show a cluster without a quorum too. */
const partTimeoutMs = 900

/** Takes the snapshots of one node, and measures rates from one to the next. */
export class LiveSnapshots {
  readonly #context: SnapshotContext
  readonly #locks: LockOverview
  readonly #semaphores: SemaphoreOverview
  readonly #meter = new TrafficMeter()

  constructor(context: SnapshotContext) {
    this.#context = context
    this.#locks = new LockOverview(context.store, context.world)
    this.#semaphores = new SemaphoreOverview(context.store, context.world)
  }

  async take(): Promise<LiveSnapshot> {
    const { store, control, world, health } = this.#context
    const options: ReadOptions = { timeoutMs: partTimeoutMs }
    const problems: Record<string, string> = {}
    const part = async <T>(name: string, value: Promise<T>): Promise<T | null> => {
      try {
        return await value
      } catch (error) {
        problems[name] = asAlthingError(error).message
        return null
      }
    }
    const [cluster, locks, semaphores, elections, registry, processes] = await Promise.all([
      clusterView(this.#context),
      part('locks', this.#locks.list(options)),
      part('semaphores', this.#semaphores.list(options)),
      part('elections', listElections(store, options)),
      part('services', this.#registry()),
      control === undefined ? null : part('processes', control.processes()),
    ])
    const services = registry === null ? null : groupServices(registry.instances)
    const gateways = services?.find(({ name }) => name === gatewayService)?.instances ?? []
    const gateway = services === null ? null : await gatewayViews(gateways)
    const traffic = this.#meter.measure(cluster, world.clock.monotonicMs())
    const findings = health.judge(answersOf(cluster)).filter(({ severity }) => severity !== 'ok')
    return {
      cluster,
      locks,
      semaphores,
      elections,
      services,
      staleServices: this.#staleness(registry),
      gateway,
      processes,
      traffic,
      findings,
      problems,
    }
  }

  #registry(): Promise<Lookup> {
    return lookUp(this.#context, prefixRange(servicesPrefix), {
      consistency: 'linearizable',
      timeoutMs: partTimeoutMs,
    })
  }

  #staleness(registry: Lookup | null): StaleServices | null {
    if (registry?.stale !== true) return null
    return this.#context.services?.freshness.isKnown === true ? { ageMs: registry.ageMs } : {}
  }
}
