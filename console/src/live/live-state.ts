import { computed, effect, signal } from '@preact/signals'
import { ApiError, api } from '../api/client.ts'
import { learnLogin, needsSignIn } from './login-state.ts'
import type {
  ElectionEntry,
  GatewayEntry,
  LockExplanation,
  ProcessStatus,
  SemaphoreExplanation,
  ServiceEntry,
  Snapshot,
} from '../api/types.ts'
import { clusterHealth } from './cluster-health.ts'
import { record } from './event-log.ts'
import { errorsIn } from './gateway-summary.ts'
import { gaugesOf } from './gauges.ts'
import { observedChanges } from './observed-changes.ts'
import { staleness } from './staleness.ts'
import { addSample, type Counters, emptyHistory } from './rate-history.ts'

/** `stale`: the connection stands, and nothing has come through it for longer than {@link staleMs}. */
export type LinkState = 'connecting' | 'live' | 'stale' | 'lost'

const staleMs = 4_000
const retryMs = 1_500

export const snapshot = signal<Snapshot | undefined>(undefined)
export const linkState = signal<LinkState>('connecting')
export const lastHeardMs = signal(Date.now())
/** Ticks once a second: for ages on the screen. */
export const nowMs = signal(Date.now())
/** The node that serves this page; 0 until it has said so. */
export const selfId = signal(0)
export const isSupervised = signal(false)
export const history = signal(emptyHistory)
/** Why the node shows this user nothing. */
export const refusal = signal<string | undefined>(undefined)

/** HTTP addresses, kept after their members are gone. */
export const httpAddresses = signal<ReadonlyMap<number, string>>(new Map())

export const health = computed(() =>
  snapshot.value === undefined ? undefined : clusterHealth(snapshot.value.cluster, isSupervised.value),
)

export const selfStatus = computed(
  () => snapshot.value?.cluster.members.find(({ id }) => id === selfId.value)?.status ?? undefined,
)

/** Parts as last read: one that cannot be read for a moment stays on the screen, beside the reason. */
export const locks = signal<readonly LockExplanation[]>([])
export const semaphores = signal<readonly SemaphoreExplanation[]>([])
export const elections = signal<readonly ElectionEntry[]>([])
export const services = signal<readonly ServiceEntry[]>([])
/** What the cluster cannot confirm is the last that the node knew, and so old. */
export const staleServices = computed(() =>
  staleness(snapshot.value?.staleServices ?? null, nowMs.value - lastHeardMs.value),
)
export const gateways = signal<readonly GatewayEntry[]>([])
export const processes = signal<readonly ProcessStatus[]>([])

/** Why one of these could not be read for the newest snapshot. */
export function problemOfParts(
  ...parts: readonly ('locks' | 'semaphores' | 'elections' | 'services' | 'processes')[]
): string | undefined {
  const problems = snapshot.value?.problems ?? {}
  return parts.map((part) => problems[part]).find((each) => each !== undefined)
}

/** Milliseconds by the clocks of the cluster: ages are counted with it, not with the clock of the browser's machine. */
export const clusterNowMs = computed(() => {
  const at = snapshot.value?.cluster.at
  return at === undefined ? nowMs.value : at + Math.max(0, nowMs.value - lastHeardMs.value)
})

/** Follows the node's live events for as long as the page lives. */
export function startLive(): void {
  connect()
  effect(() => {
    if (!needsSignIn.value && linkState.peek() === 'lost') connect()
  })
  setInterval(() => {
    nowMs.value = Date.now()
    if (linkState.value === 'live' && nowMs.value - lastHeardMs.value > staleMs) linkState.value = 'stale'
  }, 1_000)
  effect(() => {
    if (linkState.value !== 'live') return
    refusal.value = undefined
    void learnSelf()
    void learnLogin()
  })
}

function connect(): void {
  const source = api.live()
  source.addEventListener('snapshot', (event) => {
    take(JSON.parse((event as MessageEvent<string>).data) as Snapshot)
  })
  // The browser's own reconnection waits long, and gives up on an answer that is not 200.
  source.addEventListener('error', () => {
    source.close()
    if (linkState.value !== 'connecting' || snapshot.value !== undefined) linkState.value = 'lost'
    void connectAgain()
  })
}

/** The browser does not tell why a stream of events did not begin. */
async function connectAgain(): Promise<void> {
  try {
    await api.whyNotLive()
    refusal.value = undefined
  } catch (error) {
    const code = error instanceof ApiError ? error.code : undefined
    refusal.value = code === 'permission-denied' ? (error as ApiError).message : undefined
    if (code === 'unauthenticated') {
      linkState.value = 'lost'
      needsSignIn.value = true
      return
    }
  }
  setTimeout(connect, retryMs)
}

async function learnSelf(): Promise<void> {
  try {
    const [status, local] = await Promise.all([api.status(), api.local()])
    selfId.value = status.id
    isSupervised.value = local.supervised
  } catch {
    // The next connection asks again; until then nothing is marked as this node.
  }
}

function take(next: Snapshot): void {
  const before = snapshot.value
  lastHeardMs.value = Date.now()
  nowMs.value = lastHeardMs.value
  linkState.value = 'live'
  snapshot.value = next
  if (next.locks !== null) locks.value = next.locks
  if (next.semaphores !== null) semaphores.value = next.semaphores
  if (next.elections !== null) elections.value = next.elections
  if (next.services !== null) services.value = next.services
  if (next.gateway !== null) gateways.value = next.gateway
  if (next.processes !== null) processes.value = next.processes
  rememberAddresses(next)
  history.value = addSample(history.value, next.cluster.at, countersOf(next), gaugesOf(next.cluster))
  if (before !== undefined) for (const change of observedChanges(before, next)) record('seen', change)
}

function rememberAddresses(next: Snapshot): void {
  const known = httpAddresses.value
  const fresh = next.cluster.members.flatMap(({ id, httpAddress, status }) => {
    const address = httpAddress ?? status?.httpAddress
    return address === undefined || known.get(id) === address ? [] : [[id, address] as const]
  })
  if (fresh.length > 0) httpAddresses.value = new Map([...known, ...fresh])
}

/** `undefined` when some part of it is not known: a sum that lacks a part is not the sum. */
function sumOf(values: readonly (number | undefined)[]): number | undefined {
  if (values.length === 0 || values.includes(undefined)) return undefined
  return values.reduce<number>((total, value) => total + (value ?? 0), 0)
}

function countersOf(next: Snapshot): Counters {
  const statuses = next.cluster.members.flatMap(({ status }) => status ?? [])
  const stats = (next.gateway ?? []).flatMap((gateway) => gateway.stats ?? [])
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)
  return {
    entries: statuses.length === 0 ? undefined : Math.max(...statuses.map(({ commitIndex }) => commitIndex)),
    reads: sumOf(statuses.map(({ operations }) => operations?.activity.reads)),
    writes: sumOf(statuses.map(({ operations }) => operations?.activity.writes)),
    changes: statuses.length === 0 ? undefined : Math.max(...statuses.map(({ revision }) => revision)),
    requests: stats.length === 0 ? undefined : sum(stats.map(({ metrics }) => metrics.requests)),
    errors: stats.length === 0 ? undefined : sum(stats.map(({ metrics }) => errorsIn(metrics))),
  }
}
