import type { Duration } from '../../base/duration.ts'
import { AlthingError, invalidArgument } from '../../contracts/errors.ts'
import type { CallOptions, Store } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { registryName } from '../discovery/instance-entry.ts'
import { assertGuarantees, type Guarantee, type Requirements } from '../guarantees.ts'
import { LeaseKeeper } from '../leases/lease-keeper.ts'
import { durationMs, randomId, wholeNumber } from '../names.ts'
import { readWholeRange } from '../range-pages.ts'
import { changedContent, layerOf } from './config-document.ts'
import { ConfigFollower } from './config-follower.ts'
import {
  checkedKey,
  checkedScope,
  type ConfigRecord,
  currentKey,
  currentRange,
  decodeHistoryEntry,
  decodeRecord,
  emptyVersion,
  globalScope,
  type HistoryEntry,
  historyKey,
  historyRange,
  instancesRange,
  scopeOfCurrentKey,
  type StoredValue,
  type StoredVersion,
} from './config-record.ts'
import { abort, newVersion, promote, type ReleaseRequest, widen } from './config-steps.ts'
import type {
  ConfigDifference,
  ConfigDocument,
  ConfigReader,
  ConfigVersion,
  EffectiveConfig,
  HistoryItem,
  InstanceReport,
  OpenConfigOptions,
  ScopeSummary,
} from './config-types.ts'
import { chosenVersions } from './config-view.ts'
import { type ConfigWriteOptions, readRecord, type WriterParts, writeConfig } from './config-writer.ts'
import { decodeReport, InstanceReporter } from './instance-reporter.ts'
import { type JsonSchema, JsonSchemaCheck, jsonSchemaFrom } from './json-schema.ts'
import type { JsonValue } from '../../base/json-value.ts'
import { jsonValue } from './json-value.ts'
import { LocalCopyFile } from './local-copy.ts'
import { type Rotation, rotateScope } from './rotate-keys.ts'
import { SecretBox, type SecretKeys } from './secret-box.ts'
import {
  historyItem,
  shownDifferences,
  shownDocument,
  shownValue,
  shownVersion,
  summaryOf,
} from './shown-values.ts'
import { checkedLabels } from './staged-release.ts'
import type { StandardSchema } from './standard-schema.ts'

export const configRequirements: Requirements = {
  recipe: 'config',
  needs: ['linearizable', 'watch-resume'],
}

export const configDefaults = { pullEvery: '1m', staleAfter: '10s', historyMax: 100 } as const

export interface ConfigServiceOptions {
  readonly store: Store
  readonly world: World
  /** Default: one of its own, closed with this. */
  readonly keeper?: LeaseKeeper
  readonly accept?: readonly Guarantee[]
  /** For secrets. Default: none, so that secrets stay sealed here. */
  readonly secrets?: SecretKeys
  /** Versions of each scope that are kept: 2..1000, default 100. Whoever writes applies its own. */
  readonly historyMax?: number
}

/** What to change of a scope, in one version. */
export interface ConfigChange {
  /** New values, by key. */
  readonly set?: Readonly<Record<string, unknown>>
  /** Keys to take away from this layer. `not-found` where it has none of that name. */
  readonly unset?: readonly string[]
  /** Those of `set` to be sealed. What is sealed already, or `writeOnly` by the stored schema, is sealed without being named. */
  readonly secret?: readonly string[]
  /** The layer of this instance in place of the service's. */
  readonly instance?: string
}

export interface ConfigChangeOptions extends ConfigWriteOptions {
  /** Stage the version: only the instances named run it until it is promoted. */
  readonly release?: ReleaseRequest
}

export interface ReadConfigOptions extends CallOptions {
  /** Show secrets too. Rejects with `not-found` where their key is not here. Default false. */
  readonly reveal?: boolean
}

/**
 * The configuration of services: layers global < service < instance with versions, checked when written, followed by readers as they change. A scope is the name of a service, or {@link globalScope}.
 */
export class ConfigService {
  readonly #parts: WriterParts
  readonly #keeper: LeaseKeeper
  readonly #ownsKeeper: boolean
  readonly #readers = new Set<{ close(): Promise<void> }>()
  #isClosed = false

  constructor(options: ConfigServiceOptions) {
    const { store, world } = options
    assertGuarantees(store, configRequirements, options)
    this.#parts = {
      store,
      world,
      box: new SecretBox(options.secrets, world.random),
      historyMax: wholeNumber('historyMax', options.historyMax ?? configDefaults.historyMax, 2, 1_000),
    }
    this.#ownsKeeper = options.keeper === undefined
    this.#keeper = options.keeper ?? new LeaseKeeper(store, world)
  }

  /** Follows the configuration of a service as one of its instances. Returns at once. */
  open<Values = Readonly<Record<string, JsonValue>>>(
    service: string,
    options: OpenConfigOptions<Values> = {},
  ): ConfigReader<Values> {
    this.#assertOpen()
    const { store, world, box } = this.#parts
    const instance = registryName('instance', options.instance ?? randomId(world))
    const identity = { instance, labels: checkedLabels('labels', options.labels ?? {}) }
    const own = { store, world, service: registryName('service', service), instance }
    const { localCopy, signal } = options
    const staleAfterMs = durationFrom('staleAfter', options.staleAfter ?? configDefaults.staleAfter, 100)
    const pullEveryMs = durationFrom('pullEvery', options.pullEvery ?? configDefaults.pullEvery, 1_000)
    const onAbort = (): void => void reader.close()
    const reader = new ConfigFollower<Values>({
      ...own,
      box,
      identity,
      schema: options.schema,
      staleAfterMs,
      pullEveryMs,
      localCopy: localCopy === undefined ? undefined : new LocalCopyFile(world.disk, localCopy),
      reporter: options.report === false ? undefined : new InstanceReporter({ ...own, keeper: this.#keeper }),
      onClose: () => {
        this.#readers.delete(reader)
        signal?.removeEventListener('abort', onAbort)
      },
    })
    this.#readers.add(reader)
    if (signal?.aborted === true) onAbort()
    else signal?.addEventListener('abort', onAbort, { once: true })
    return reader
  }

  /**
   * Makes a version with these changes. Rejects with `invalid-argument` (a value that does not fit, by its field), `not-found` (nothing to unset), `conflict` (another version than expected, or one is being released in stages),
   * `stale-token`, `too-large`; nothing has changed then.
   */
  async change(scope: string, change: ConfigChange, options: ConfigChangeOptions): Promise<ConfigDocument> {
    const set = Object.entries(change.set ?? {}).map(
      ([key, value]) => [checkedKey('key', key), jsonValue(key, value)] as const,
    )
    const unset = change.unset ?? []
    if (set.length === 0 && unset.length === 0)
      throw invalidArgument('change', change, 'something to set or to unset')
    const { instance } = change
    if (instance !== undefined && scope === globalScope)
      throw invalidArgument('instance', instance, 'left out for the global layer')
    const contentOf = (before: ConfigRecord) => {
      const stored = this.#storedValues(scope, before, new Map(set), change)
      return changedContent(before.stable, {
        set: stored,
        unset,
        ...(instance === undefined ? {} : { instance }),
      })
    }
    return await this.#write(scope, options, newVersion({ kind: 'write' }, contentOf, options.release))
  }

  /** {@link change} with values to set. */
  set(
    scope: string,
    values: Readonly<Record<string, unknown>>,
    options: ConfigChangeOptions & Pick<ConfigChange, 'instance' | 'secret'>,
  ): Promise<ConfigDocument> {
    const { instance, secret } = options
    return this.change(scope, { set: values, ...defined({ instance, secret }) }, options)
  }

  /** {@link change} with keys to take away. */
  unset(
    scope: string,
    keys: readonly string[],
    options: ConfigChangeOptions & Pick<ConfigChange, 'instance'>,
  ): Promise<ConfigDocument> {
    return this.change(scope, { unset: keys, ...defined({ instance: options.instance }) }, options)
  }

  /** Stores a schema with the scope, or takes it away: a version of its own with the same values, which must fit it. */
  async setSchema(
    scope: string,
    schema: JsonSchema | StandardSchema | undefined,
    options: ConfigWriteOptions,
  ): Promise<ConfigDocument> {
    const stored = schema === undefined ? undefined : jsonSchemaFrom(schema)
    const same = newVersion(
      { kind: 'schema' },
      ({ stable: { values, instances } }) => ({ values, instances }),
      undefined,
    )
    return await this.#write(scope, options, async (before, signature) => {
      const { schema: _, ...rest } = before
      return await same(stored === undefined ? rest : { ...rest, schema: stored }, signature)
    })
  }

  /** Makes a version with exactly the values of an older one. `not-found` when it is not kept any more. */
  async rollback(scope: string, to: number, options: ConfigChangeOptions): Promise<ConfigDocument> {
    const { values, instances } = await this.#version(scope, to, options)
    return await this.#write(
      scope,
      options,
      newVersion({ kind: 'rollback', of: to }, () => ({ values, instances }), options.release),
    )
  }

  /** Gives the staged version to more instances. */
  release(scope: string, release: ReleaseRequest, options: ConfigWriteOptions): Promise<ConfigDocument> {
    return this.#write(scope, options, widen(release))
  }

  /** Gives the staged version to all. */
  promote(scope: string, options: ConfigWriteOptions): Promise<ConfigDocument> {
    return this.#write(scope, options, promote())
  }

  /** Takes the staged version back: all run the stable content, under a new number. */
  abort(scope: string, options: ConfigWriteOptions): Promise<ConfigDocument> {
    return this.#write(scope, options, abort())
  }

  async get(scope: string, options: ReadConfigOptions = {}): Promise<ConfigDocument> {
    const record = await readRecord(this.#parts.store, scope, options)
    return shownDocument(
      scope,
      record ?? { lineage: '', latest: 0, stable: emptyVersion },
      this.#reveals(options),
    )
  }

  /** What an instance of the service would run now, and where each value comes from. */
  async effective(
    service: string,
    options: ReadConfigOptions & {
      readonly instance?: string
      readonly labels?: Readonly<Record<string, string>>
    } = {},
  ): Promise<EffectiveConfig> {
    registryName('service', service)
    const { instance = '', labels = {} } = options
    const [global, own] = await Promise.all(
      [globalScope, service].map((scope) => readRecord(this.#parts.store, scope, options)),
    )
    const records = { global, service: own }
    // Nobody in particular: what is staged is for named instances.
    const shown = instance === '' ? { global: stableOnly(global), service: stableOnly(own) } : records
    const chosen = chosenVersions(service, shown, { instance, labels })
    const box = this.#reveals(options)
    const values = [...chosen.merged].map(
      ([key, { stored, place, layer }]) => [key, { ...shownValue(stored, place, box), layer }] as const,
    )
    return {
      service,
      ...(instance === '' ? {} : { instance }),
      version: chosen.service.version,
      globalVersion: chosen.global.version,
      values: Object.fromEntries(values),
    }
  }

  /** Every scope that has a configuration, the global layer first. */
  async list(options: CallOptions = {}): Promise<readonly ScopeSummary[]> {
    const { kvs } = await readWholeRange(this.#parts.store, currentRange, options)
    return kvs.map((kv) => summaryOf(scopeOfCurrentKey(kv.key), decodeRecord(kv.key, kv.value)))
  }

  /** The newest first. `limit` 1..1000, default 20; `before`: only versions below this. */
  async history(
    scope: string,
    options: CallOptions & { readonly limit?: number; readonly before?: number } = {},
  ): Promise<readonly HistoryItem[]> {
    const { limit = 20, before, ...call } = options
    const range = historyRange(scope)
    const end =
      before === undefined
        ? range.end
        : historyKey(scope, wholeNumber('before', before, 0, Number.MAX_SAFE_INTEGER))
    const request = {
      key: range.key,
      end,
      limit: wholeNumber('limit', limit, 1, 1_000),
      order: 'descending',
    } as const
    const { kvs } = await this.#parts.store.range(request, call)
    return kvs.map((kv) => historyItem(decodeHistoryEntry(kv.key, kv.value)))
  }

  /** One version with its values. `not-found` when it is not kept. */
  async version(scope: string, version: number, options: ReadConfigOptions = {}): Promise<ConfigVersion> {
    return shownVersion(scope, await this.#version(scope, version, options), this.#reveals(options))
  }

  /** What changes from one version to another. Version 0 is the empty one. */
  async diff(
    scope: string,
    from: number,
    to: number,
    options: ReadConfigOptions = {},
  ): Promise<readonly ConfigDifference[]> {
    const [before, after] = await Promise.all(
      [from, to].map((version) => this.#version(scope, version, options)),
    )
    return shownDifferences(scope, before ?? emptyVersion, after ?? emptyVersion, this.#reveals(options))
  }

  /** Which instance runs what: those that live, ordered by service and id. Of the global scope: of all services. */
  async instances(scope: string, options: CallOptions = {}): Promise<readonly InstanceReport[]> {
    const { kvs } = await readWholeRange(this.#parts.store, instancesRange(scope), options)
    return kvs.flatMap((kv) => decodeReport(kv, checkedScope(scope)) ?? [])
  }

  /** Seals the secrets of one scope, or of all, anew with the first key. The other keys can be forgotten once nobody needs them to read. Idempotent; may be interrupted. */
  async rotateKeys(options: CallOptions & { readonly scope?: string } = {}): Promise<Rotation> {
    const { scope, ...call } = options
    if (!this.#parts.box.hasKeys)
      throw invalidArgument('keys', 'none', 'at least one: this process has no keys for secrets')
    const scopes =
      scope === undefined ? (await this.list(call)).map((each) => each.scope) : [checkedScope(scope)]
    let total: Rotation = { resealed: 0, unchanged: 0 }
    for (const each of scopes) {
      const { resealed, unchanged } = await rotateScope(this.#parts.store, this.#parts.box, each, call)
      total = { resealed: total.resealed + resealed, unchanged: total.unchanged + unchanged }
    }
    return total
  }

  /** Forgets a scope with its history. Readers keep what fits their schema. Returns whether there was one. */
  async remove(scope: string, options: CallOptions = {}): Promise<boolean> {
    const key = currentKey(scope)
    const reply = await this.#parts.store.txn(
      {
        then: [
          { op: 'delete', key },
          { op: 'delete', ...historyRange(scope) },
        ],
      },
      options,
    )
    const [current] = reply.replies
    return current?.op === 'delete' && current.deleted > 0
  }

  /** Closes the readers opened here. Idempotent. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await Promise.allSettled([...this.#readers].map((reader) => reader.close()))
    if (this.#ownsKeeper) await this.#keeper.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #write(
    scope: string,
    options: ConfigWriteOptions,
    step: Parameters<typeof writeConfig>[3],
  ): Promise<ConfigDocument> {
    this.#assertOpen()
    return shownDocument(scope, await writeConfig(this.#parts, checkedScope(scope), options, step))
  }

  async #version(
    scope: string,
    version: number,
    options: CallOptions,
  ): Promise<HistoryEntry | StoredVersion> {
    if (version === 0) return emptyVersion
    const key = historyKey(scope, wholeNumber('version', version, 0, Number.MAX_SAFE_INTEGER))
    const { signal, timeoutMs } = options
    const { kvs } = await this.#parts.store.range({ key }, defined({ signal, timeoutMs }))
    if (kvs[0] !== undefined) return decodeHistoryEntry(key, kvs[0].value)
    throw new AlthingError('not-found', `version ${version} of the configuration of ${scope} is not kept`, {
      outcome: 'none',
      details: { version },
    })
  }

  #storedValues(
    scope: string,
    before: ConfigRecord,
    set: ReadonlyMap<string, JsonValue>,
    change: ConfigChange,
  ): Readonly<Record<string, StoredValue>> {
    const { instance, secret = [] } = change
    for (const key of secret)
      if (!set.has(key)) throw invalidArgument('secret', key, 'one of the keys to set')
    const check = before.schema === undefined ? undefined : new JsonSchemaCheck(before.schema)
    const base = before.stable.values
    const old = layerOf(before.stable, instance)
    const isSealed = (key: string): boolean =>
      [old, base].some((layer) => Object.hasOwn(layer, key) && 'secret' in (layer[key] as StoredValue))
    const stored = [...set].map(([key, value]): [string, StoredValue] => {
      const isSecret = secret.includes(key) || check?.isSecret(key) === true || isSealed(key)
      const place = { scope, key, ...(instance === undefined ? {} : { instance }) }
      return [key, isSecret ? { secret: this.#parts.box.seal(place, value) } : { value }]
    })
    return Object.fromEntries(stored)
  }

  #reveals({ reveal }: ReadConfigOptions): SecretBox | undefined {
    return reveal === true ? this.#parts.box : undefined
  }

  #assertOpen(): void {
    if (this.#isClosed)
      throw new AlthingError('closed', 'the configuration service is closed', { outcome: 'none' })
  }
}

function stableOnly(record: ConfigRecord | undefined): ConfigRecord | undefined {
  if (record === undefined) return undefined
  const { staged: _, ...rest } = record
  return rest
}

function durationFrom(field: string, duration: Duration, msMin: number): number {
  const ms = durationMs(field, duration)
  if (ms < msMin) throw invalidArgument(field, duration, `${msMin} ms or more`)
  return ms
}

/** Without what is `undefined`. */
function defined<T extends object>(fields: T): { [Key in keyof T]?: Exclude<T[Key], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never
}
