import type { Duration } from '../../base/duration.ts'

/** How often a check runs, and what its results come to. */
export interface CheckSchedule {
  /** From the end of one run to the start of the next. Default 5 s. */
  readonly interval?: Duration
  /** Default 2 s. */
  readonly timeout?: Duration
  /** Failures in a row that make a healthy instance unhealthy. Default 3. */
  readonly unhealthyAfter?: number
  /** Successes in a row that make an unhealthy instance healthy. Default 2. */
  readonly healthyAfter?: number
  readonly flap?: FlapOptions
}

/** Damping: more than `changesMax` changes of the verdict within `window` hold the instance at `unhealthy` until a whole window was quiet. */
export interface FlapOptions {
  /** Default 4. */
  readonly changesMax?: number
  /** Default 60 s. */
  readonly window?: Duration
}

/** The registrar's own look at itself. */
export interface FunctionCheck extends CheckSchedule {
  /** Healthy: resolves with nothing or true. Unhealthy: resolves with false, throws, or takes longer than `timeout`. */
  readonly run: (signal: AbortSignal) => unknown
}

/** Who runs an active check. */
export type CheckRunner = 'self' | 'cluster'

interface ActiveCheckOptions extends CheckSchedule {
  /**
   * `'self'` (default): the process that registers, which says nothing of a process that hangs. `'cluster'`: the nodes of an Althing cluster, one of them at a time
   * (`CheckDuty`), so that a process that hangs is found out.
   */
  readonly by?: CheckRunner
  /** By the cluster only: an instance that has been unhealthy for so long is removed. Default: never. */
  readonly removeAfter?: Duration
}

export interface HttpCheck extends ActiveCheckOptions {
  /** URL for a GET, without user and password. A redirect is not followed: it is an answer. */
  readonly http: string
  /** One status, or the first and the last of a row. Default 200..299. */
  readonly expectStatus?: number | readonly [number, number]
}

export interface TcpCheck extends ActiveCheckOptions {
  /** `host:port` that must take a connection. */
  readonly tcp: string
}

export interface ScriptCheck extends ActiveCheckOptions {
  /** Program and arguments, run without a shell: exit code 0 is healthy. Nodes of a cluster run such checks only where their operator has enabled it. */
  readonly script: readonly [string, ...string[]]
}

export type ActiveCheck = HttpCheck | TcpCheck | ScriptCheck
export type HealthCheck = FunctionCheck | ActiveCheck

export interface CheckTiming {
  readonly intervalMs: number
  readonly timeoutMs: number
  readonly unhealthyAfter: number
  readonly healthyAfter: number
  readonly flapChangesMax: number
  readonly flapWindowMs: number
}

/** An active check as the registry holds it. */
export interface CheckSpec extends CheckTiming {
  readonly kind: 'http' | 'tcp' | 'script'
  /** The URL, the address, or the program. */
  readonly target: string
  /** Of a script. */
  readonly args?: readonly string[]
  /** Of HTTP: the first and the last status that are healthy. */
  readonly expectStatus?: readonly [number, number]
  readonly by: CheckRunner
  readonly removeAfterMs?: number
}
