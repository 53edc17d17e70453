import type { Duration } from '../../base/duration.ts'
import type { ConfigLayer } from './config-document.ts'
import type { ReleaseStep, VersionCause } from './config-record.ts'
import type { JsonSchema } from './json-schema.ts'
import type { JsonValue } from '../../base/json-value.ts'
import type { StandardSchema } from './standard-schema.ts'

export interface OpenConfigOptions<Values> {
  /** What the merged view must be, and what type it has. Default: any JSON values. Defaults and conversions of the schema apply. */
  readonly schema?: StandardSchema<Values>
  /** Which instance of the service this is: its own layer, and its place in staged releases. 1..128 characters of `A-Z a-z 0-9 . _ -`. Default: drawn at random. */
  readonly instance?: string
  /** For staged releases by label. At most 32. */
  readonly labels?: Readonly<Record<string, string>>
  /** A file of the world's disk that keeps the last good version for when the store is away. One for each reader. Default: none. */
  readonly localCopy?: string
  /** The store is asked anew so often, whatever it has pushed. Default 1 min; at least 1 s. */
  readonly pullEvery?: Duration
  /** Silence of the store after which what is known is marked stale. Default 10 s. */
  readonly staleAfter?: Duration
  /** Tell in the store what this instance runs. Default true. */
  readonly report?: boolean
  /** Closes the reader. */
  readonly signal?: AbortSignal
}

/** What a reader runs. A new object with each change. */
export interface ConfigState<Values = Readonly<Record<string, JsonValue>>> {
  /** Whole: one version of the global layer with one of the service's, as the schema gave them back. */
  readonly values: Values
  /** Of the service. 0: nothing written yet. Only grows. */
  readonly version: number
  /** Of the global layer. Only grows. */
  readonly globalVersion: number
  /** Which layer each value comes from. */
  readonly layers: Readonly<Record<string, ConfigLayer>>
  /** Secrets left out because this process was given no keys. */
  readonly sealed: readonly string[]
  readonly source: 'store' | 'local-copy'
  /** The store has not been heard from for longer than `staleAfter`; this is the last that was known. */
  readonly stale: boolean
  /** Why the reader does not run what the store has for it. */
  readonly problem?: ConfigProblem
}

export interface ConfigProblem {
  /**
   * `schema`, the newer version does not fit; `secret`, a secret of it cannot be opened; `behind`, the store has an older version than this instance has run; `local-copy`, the file is damaged; `unreadable`, what the store
   * holds is not of this package's form.
   */
  readonly kind: 'schema' | 'secret' | 'behind' | 'local-copy' | 'unreadable'
  readonly message: string
  /** The version of the service that is not run for it. */
  readonly version?: number
}

/** A service's configuration as one instance sees it, followed until closed. Never forgets what it knows because the store cannot be reached. */
export interface ConfigReader<Values = Readonly<Record<string, JsonValue>>> {
  readonly service: string
  readonly instance: string
  /** `undefined` until the first version that fits. */
  readonly current: ConfigState<Values> | undefined
  /** Of the service, as it is run. 0: none. */
  readonly version: number
  /** True too while nothing is known. */
  readonly stale: boolean
  /** Milliseconds since the store last confirmed what is run; of a local copy since it was confirmed then, by the wall clock. `undefined` while nothing is known. */
  readonly ageMs: number | undefined
  /** As in the state; also before the first one. */
  readonly problem: ConfigProblem | undefined
  /** Resolves with the first version that fits, be it from the local copy. Rejects with `closed`, and with what trying again cannot mend. */
  readonly ready: Promise<void>
  /** One value. Throws `unavailable` while nothing is known. */
  get<Key extends keyof Values>(key: Key): Values[Key]
  /** The state now, then each later one. A slow reader skips to the newest: nothing is queued. Ends on `close`. */
  readonly changes: AsyncIterable<ConfigState<Values>>
  /** Calls `listener` at once with the state, if there is one, and again with each later one, synchronously. Returns the way to stop. */
  subscribe(listener: (state: ConfigState<Values>) => void): () => void
  /** Asks the store now. Rejects like a read. */
  pull(): Promise<void>
  /** Takes back what was told of this instance. Idempotent. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** A value as it is shown: of a secret nothing but that it is one, unless it was asked for by who has its key. */
export type ShownValue =
  | { readonly value: JsonValue; readonly isSecret: false }
  | { readonly isSecret: true; readonly key: string; readonly value?: JsonValue }

export type ShownValues = Readonly<Record<string, ShownValue>>

export interface VersionInfo {
  readonly version: number
  readonly cause: VersionCause
  readonly author: string
  readonly message: string
  readonly atMs: number
}

/** One version with its contents. */
export interface ConfigVersion extends VersionInfo {
  readonly values: ShownValues
  readonly instances: Readonly<Record<string, ShownValues>>
}

/** The release of a version in stages. */
export interface StagedRelease {
  readonly version: ConfigVersion
  readonly share: number
  readonly match?: Readonly<Record<string, string>>
  readonly steps: readonly ReleaseStep[]
}

/** A scope as it stands. */
export interface ConfigDocument {
  /** A service's name, or `*` for the global layer. */
  readonly scope: string
  /** The newest version, staged or not. 0: nothing written yet. */
  readonly latest: number
  readonly stable: ConfigVersion
  readonly staged?: StagedRelease
  readonly schema?: JsonSchema
}

export interface HistoryItem extends VersionInfo {
  readonly steps: readonly ReleaseStep[]
}

/** One difference between two versions. Of a secret only that it differs, unless asked for. */
export interface ConfigDifference {
  readonly key: string
  /** The instance whose own value it is; absent: the scope's. */
  readonly instance?: string
  readonly before?: ShownValue
  readonly after?: ShownValue
}

/** The merged view of one instance, with where each value comes from. */
export interface EffectiveConfig {
  readonly service: string
  readonly instance?: string
  readonly version: number
  readonly globalVersion: number
  readonly values: Readonly<Record<string, ShownValue & { readonly layer: ConfigLayer }>>
}

/** What one instance runs, as it says itself. */
export interface InstanceReport {
  readonly service: string
  readonly instance: string
  readonly labels: Readonly<Record<string, string>>
  /** 0..100: it is in a staged release whose share is above this. Of the scope that was asked for. */
  readonly place: number
  readonly version: number
  readonly globalVersion: number
  readonly source: 'store' | 'local-copy' | 'none'
  readonly problem?: ConfigProblem
  /** Since it runs this, by its clock. */
  readonly sinceMs: number
}

export interface ScopeSummary {
  readonly scope: string
  readonly latest: number
  readonly stable: number
  readonly staged?: {
    readonly version: number
    readonly share: number
    readonly match?: Readonly<Record<string, string>>
  }
  readonly keys: number
  readonly hasSchema: boolean
  readonly author: string
  readonly atMs: number
}
