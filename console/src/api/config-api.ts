// The config centre of the node's HTTP API. Secrets never arrive here: the node masks them.
import { callJson, get } from './client.ts'

export type ConfigValue =
  | { readonly isSecret: false; readonly value: unknown }
  | { readonly isSecret: true; readonly key: string }

export type ConfigValues = Readonly<Record<string, ConfigValue>>
export type Labels = Readonly<Record<string, string>>

export interface ReleaseRule {
  /** Percent. */
  readonly share: number
  readonly match?: Labels
}

export interface ConfigScope {
  readonly scope: string
  readonly latest: number
  readonly stable: number
  readonly staged?: ReleaseRule & { readonly version: number }
  readonly keys: number
  readonly hasSchema: boolean
  readonly author: string
  readonly atMs: number
}

interface VersionInfo {
  readonly version: number
  readonly cause: { readonly kind: 'write' | 'schema' | 'rollback' | 'abort'; readonly of?: number }
  readonly author: string
  readonly message: string
  readonly atMs: number
}

export interface ConfigVersion extends VersionInfo {
  readonly values: ConfigValues
  readonly instances: Readonly<Record<string, ConfigValues>>
}

export interface ReleaseStep extends ReleaseRule {
  readonly step: 'staged' | 'widened' | 'promoted' | 'aborted'
  readonly author: string
  readonly message: string
  readonly atMs: number
}

export interface HistoryItem extends VersionInfo {
  readonly steps: readonly ReleaseStep[]
}

export interface ConfigDocument {
  readonly scope: string
  /** 0: nothing written yet. */
  readonly latest: number
  readonly stable: ConfigVersion
  readonly staged?: ReleaseRule & { readonly version: ConfigVersion; readonly steps: readonly ReleaseStep[] }
  readonly schema?: unknown
}

export type ConfigLayer = 'global' | 'service' | 'instance'

export interface EffectiveConfig {
  readonly version: number
  readonly globalVersion: number
  readonly values: Readonly<Record<string, ConfigValue & { readonly layer: ConfigLayer }>>
}

export interface ConfigDifference {
  readonly key: string
  readonly instance?: string
  readonly before?: ConfigValue
  readonly after?: ConfigValue
}

export interface ConfigInstance {
  readonly service: string
  readonly instance: string
  readonly labels: Labels
  readonly place: number
  readonly version: number
  readonly globalVersion: number
  readonly source: 'store' | 'local-copy' | 'none'
  readonly problem?: { readonly kind: string; readonly message: string }
  readonly sinceMs: number
}

/** Who changes something, and why. */
export interface Signature {
  readonly author?: string
  readonly message?: string
  readonly expectedVersion?: number
}

export interface ConfigChange extends Signature {
  readonly set?: Readonly<Record<string, unknown>>
  readonly unset?: readonly string[]
  readonly secret?: readonly string[]
  readonly instance?: string
  readonly release?: Partial<ReleaseRule>
}

const path = (scope: string): string => `/config/${encodeURIComponent(scope)}`

function post(scope: string, action: string, body: object): Promise<unknown> {
  return callJson('POST', `${path(scope)}/${action}`, body)
}

export const configApi = {
  scopes: () => get<readonly ConfigScope[]>('/config'),
  document: (scope: string) => get<ConfigDocument>(path(scope)),
  effective: (scope: string, instance: string) =>
    get<EffectiveConfig>(
      `${path(scope)}/effective${instance === '' ? '' : `?instance=${encodeURIComponent(instance)}`}`,
    ),
  instances: (scope: string) => get<readonly ConfigInstance[]>(`${path(scope)}/instances`),
  history: (scope: string, limit: number) =>
    get<readonly HistoryItem[]>(`${path(scope)}/history?limit=${limit}`),
  diff: (scope: string, from: number, to: number) =>
    get<readonly ConfigDifference[]>(`${path(scope)}/diff?from=${from}&to=${to}`),
  change: (scope: string, change: ConfigChange) => post(scope, 'change', change),
  rollback: (scope: string, to: number, signature: Signature) =>
    post(scope, 'rollback', { to, ...signature }),
  release: (scope: string, rule: Partial<ReleaseRule>, signature: Signature) =>
    post(scope, 'release', { ...rule, ...signature }),
  endRelease: (scope: string, end: 'promote' | 'abort', signature: Signature) => post(scope, end, signature),
}
