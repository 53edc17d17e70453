import { LatencyHistogram } from './latency-histogram.ts'

export const operations = ['register', 'connect', 'follow', 'post', 'read'] as const
export type OperationName = (typeof operations)[number]

export interface LatencySummary {
  readonly count: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly max: number
}

/** What a run has shown. Times in milliseconds. */
export interface LoadSummary {
  readonly agents: number
  /** With an open socket when the run was stopped. */
  readonly connected: number
  readonly seconds: number
  readonly requests: number
  readonly requestsPerSecond: number
  /** Of all requests, connections included. */
  readonly latency: LatencySummary
  readonly operations: Readonly<Record<OperationName, LatencySummary>>
  /** By kind: a status with its code (`503 unavailable`), or what the connection said (`ECONNRESET`). */
  readonly errors: Readonly<Record<string, number>>
  readonly errorShare: number
  /** Posts that reached followers over their sockets. */
  readonly pushed: number
  readonly reconnects: number
  /** Of the requests whose node is known, the share answered by the node of the agent's socket; 1 when none is known. */
  readonly sessionsKept: number
  readonly sessionRequests: number
  /** Requests by the node that answered. */
  readonly nodes: Readonly<Record<string, number>>
}

/** Counts of a run, and of its current second. */
export class LoadReport {
  readonly #latencies = new Map<OperationName, LatencyHistogram>(
    operations.map((name) => [name, new LatencyHistogram()]),
  )
  readonly #errors = new Map<string, number>()
  readonly #nodes = new Map<string, number>()
  #second = new LatencyHistogram()
  #secondErrors = 0
  #errorCount = 0
  #sessionRequests = 0
  #sessionKept = 0
  pushed = 0
  reconnects = 0
  connected = 0

  succeeded(operation: OperationName, ms: number): void {
    this.#latencies.get(operation)?.add(ms)
    this.#second.add(ms)
  }

  failed(kind: string): void {
    // Kinds come from outside: past the bound they share one name.
    const name = this.#errors.has(kind) || this.#errors.size < 50 ? kind : 'other'
    this.#errors.set(name, (this.#errors.get(name) ?? 0) + 1)
    this.#errorCount += 1
    this.#secondErrors += 1
  }

  /** A request of an agent whose socket is on `session` was answered by `node`. */
  answeredBy(node: string | undefined, session: string | undefined): void {
    if (node === undefined) return
    this.#nodes.set(node, (this.#nodes.get(node) ?? 0) + 1)
    if (session === undefined) return
    this.#sessionRequests += 1
    if (node === session) this.#sessionKept += 1
  }

  /** One line for the second that has passed, and starts the next. */
  line(second: number): string {
    const now = this.#second
    const errors = this.#secondErrors
    this.#second = new LatencyHistogram()
    this.#secondErrors = 0
    const kept = (this.#kept() * 100).toFixed(1)
    return (
      `${String(second).padStart(4)}s  ${String(now.count).padStart(6)} req/s  p50 ${shown(now.percentile(50))}  ` +
      `p99 ${shown(now.percentile(99))}  errors ${errors}  connected ${this.connected}  ` +
      `pushed ${this.pushed}  kept ${kept}%  reconnects ${this.reconnects}`
    )
  }

  summary(run: {
    readonly agents: number
    readonly connected: number
    readonly seconds: number
  }): LoadSummary {
    const all = new LatencyHistogram()
    for (const histogram of this.#latencies.values()) all.merge(histogram)
    const requests = all.count + this.#errorCount
    return {
      ...run,
      requests,
      requestsPerSecond: Math.round((requests / run.seconds) * 10) / 10,
      latency: summaryOf(all),
      operations: Object.fromEntries(
        [...this.#latencies].map(([name, histogram]) => [name, summaryOf(histogram)]),
      ) as Record<OperationName, LatencySummary>,
      errors: Object.fromEntries([...this.#errors].sort(([, a], [, b]) => b - a)),
      errorShare: requests === 0 ? 0 : this.#errorCount / requests,
      pushed: this.pushed,
      reconnects: this.reconnects,
      sessionsKept: this.#kept(),
      sessionRequests: this.#sessionRequests,
      nodes: Object.fromEntries([...this.#nodes].sort(([a], [b]) => (a < b ? -1 : 1))),
    }
  }

  #kept(): number {
    return this.#sessionRequests === 0 ? 1 : this.#sessionKept / this.#sessionRequests
  }
}

/** For people. */
export function renderSummary(summary: LoadSummary): string {
  const rows = operations.map((name) => {
    const { count, p50, p90, p99, max } = summary.operations[name]
    const times = [p50, p90, p99, max].map((ms) => shown(ms).padStart(9)).join('')
    return `  ${name.padEnd(10)}${String(count).padStart(9)}${times}`
  })
  const errors = Object.entries(summary.errors).map(([kind, count]) => `  ${kind}: ${count}`)
  const nodes = Object.entries(summary.nodes).map(([node, count]) => `  ${node}: ${count}`)
  return [
    `${summary.agents} agents (${summary.connected} connected at the end), ${summary.seconds.toFixed(1)} s`,
    `${summary.requests} requests, ${summary.requestsPerSecond}/s; posts pushed: ${summary.pushed}`,
    `sessions kept on their node: ${(summary.sessionsKept * 100).toFixed(2)}% of ${summary.sessionRequests} requests; reconnects: ${summary.reconnects}`,
    `  ${'request'.padEnd(10)}${['count', 'p50', 'p90', 'p99', 'max'].map((name) => name.padStart(9)).join('')}`,
    ...rows,
    `errors: ${(summary.errorShare * 100).toFixed(3)}%`,
    ...errors,
    'requests by node:',
    ...nodes,
  ].join('\n')
}

function summaryOf(histogram: LatencyHistogram): LatencySummary {
  const round = (ms: number): number => Math.round(ms * 100) / 100
  return {
    count: histogram.count,
    p50: round(histogram.percentile(50)),
    p90: round(histogram.percentile(90)),
    p99: round(histogram.percentile(99)),
    max: round(histogram.max),
  }
}

function shown(ms: number): string {
  return ms < 100 ? `${ms.toFixed(1)}ms` : `${Math.round(ms)}ms`
}
