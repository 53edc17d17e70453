import { createDeferred } from '../../base/deferred.ts'
import { AlthingError, asAlthingError } from '../../contracts/errors.ts'
import type { KeyValue, Store } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { pause } from '../abortable.ts'
import { Conflated } from '../conflated.ts'
import { followRange } from '../range-follower.ts'
import { type ConfigRecord, currentKey, decodeRecord, globalScope } from './config-record.ts'
import type { ConfigProblem, ConfigReader, ConfigState } from './config-types.ts'
import { type ConfigView, evaluateView, type Records } from './config-view.ts'
import type { InstanceReporter } from './instance-reporter.ts'
import type { LocalCopyFile } from './local-copy.ts'
import type { SecretBox } from './secret-box.ts'
import { Silence } from './silence.ts'
import type { StandardSchema } from './standard-schema.ts'
import type { InstanceIdentity } from './staged-release.ts'

export interface FollowerOptions<Values> {
  readonly store: Store
  readonly world: World
  readonly box: SecretBox
  readonly service: string
  readonly identity: InstanceIdentity
  readonly schema: StandardSchema<Values> | undefined
  readonly staleAfterMs: number
  readonly pullEveryMs: number
  readonly localCopy: LocalCopyFile | undefined
  readonly reporter: InstanceReporter | undefined
  readonly onClose: () => void
}

type ScopeName = keyof Records

/** The newest that the store has said of a scope. */
interface Heard {
  readonly record: ConfigRecord | undefined
  readonly revision: number
}

/** A local copy that has not changed is confirmed in its file no more often than this. */
const confirmMs = 600_000

/**
 * Follows the two records that an instance's view is made of.
 *
 *     watch of each, pull of both ──▶ newest records ──▶ chosen, merged, opened, checked ──▶ state, local copy, report
 *     local copy (until the store is heard) ──┘                      └── refused: the last good one stays
 */
export class ConfigFollower<Values> implements ConfigReader<Values> {
  readonly service: string
  readonly instance: string
  readonly ready: Promise<void>
  readonly #options: FollowerOptions<Values>
  readonly #ready = createDeferred<void>()
  readonly #states = new Conflated<ConfigState<Values>>()
  readonly #closing = new AbortController()
  readonly #silence: Silence
  readonly #heard = new Map<ScopeName, Heard>()
  /** What the state was made of. */
  #run: { readonly records: Records; readonly isLocal: boolean } | undefined
  #problem: ConfigProblem | undefined
  #copyProblem: ConfigProblem | undefined
  #evaluating: Promise<void> | undefined
  #isDirty = false
  #confirmedAtMs: number | undefined
  #savedMs = Number.NEGATIVE_INFINITY
  #sinceMs = 0

  constructor(options: FollowerOptions<Values>) {
    this.#options = options
    this.service = options.service
    this.instance = options.identity.instance
    this.ready = this.#ready.promise
    this.ready.catch(() => {})
    this.#silence = new Silence(options.world, options.staleAfterMs, (isSilent) => this.#mark(isSilent))
    this.#tell()
    void this.#useLocalCopy()
    for (const scope of ['global', 'service'] as const) this.#follow(scope)
    void this.#pullForever()
  }

  get current(): ConfigState<Values> | undefined {
    return this.#states.latest
  }

  get version(): number {
    return this.current?.version ?? 0
  }

  get stale(): boolean {
    return this.current?.stale ?? true
  }

  get ageMs(): number | undefined {
    const { world } = this.#options
    if (this.#run?.isLocal === false) return this.#silence.lengthMs()
    return this.#confirmedAtMs === undefined
      ? undefined
      : Math.max(0, world.clock.wallMs() - this.#confirmedAtMs)
  }

  get problem(): ConfigProblem | undefined {
    return this.#problem ?? this.#copyProblem
  }

  get changes(): AsyncIterable<ConfigState<Values>> {
    return this.#states
  }

  get<Key extends keyof Values>(key: Key): Values[Key] {
    const { current } = this
    if (current !== undefined) return current.values[key]
    const why = this.problem === undefined ? 'the store has not answered yet' : this.problem.message
    throw new AlthingError(
      'unavailable',
      `nothing is known of the configuration of ${this.service} yet: ${why}`,
    )
  }

  subscribe(listener: (state: ConfigState<Values>) => void): () => void {
    return this.#states.subscribe(listener)
  }

  async pull(): Promise<void> {
    const { store } = this.#options
    const before = new Map([...this.#heard].map(([scope, { revision }]) => [scope, revision]))
    const scopes = ['global', 'service'] as const
    const keys = scopes.map((scope) => this.#keyOf(scope))
    const reply = await store.txn(
      { then: keys.map((key) => ({ op: 'range', key })) },
      { signal: this.#closing.signal },
    )
    scopes.forEach((scope, i) => {
      const each = reply.replies[i]
      const kv = each?.op === 'range' ? each.kvs[0] : undefined
      // The store itself has gone back (restored, or another): what it says now holds.
      if (reply.revision < (before.get(scope) ?? 0)) this.#heard.delete(scope)
      this.#take(scope, kv, reply.revision)
    })
    this.#silence.heard('global')
    this.#silence.heard('service')
    await this.#evaluating
    this.#confirmCopy()
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return
    const closed = new AlthingError('closed', 'the reader of the configuration was closed', {
      outcome: 'none',
    })
    this.#closing.abort(closed)
    this.#silence.stop()
    this.#states.end()
    this.#ready.reject(closed)
    this.#options.onClose()
    await this.#options.reporter?.close()
    await this.#evaluating
    await this.#options.localCopy?.settled()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #keyOf(scope: ScopeName): string {
    return currentKey(scope === 'global' ? globalScope : this.service)
  }

  #follow(scope: ScopeName): void {
    const { store, world, staleAfterMs } = this.#options
    const key = this.#keyOf(scope)
    const following = followRange({
      store,
      world,
      range: { key, end: `${key}\u0000` },
      signal: this.#closing.signal,
      progressMs: Math.ceil(staleAfterMs / 3),
      onHeard: () => this.#silence.heard(scope),
      onState: ({ revision, kvs }) => this.#take(scope, kvs.get(key), revision),
    })
    following.catch((error: unknown) => {
      world.logger.log('error', 'a configuration cannot be followed any more', {
        service: this.service,
        error: String(error),
      })
      this.#ready.reject(error)
      this.#mark(true)
    })
  }

  async #pullForever(): Promise<void> {
    const { world, pullEveryMs } = this.#options
    const { signal } = this.#closing
    for (;;) {
      await pause(world, pullEveryMs, signal)
      if (signal.aborted) return
      await this.pull().catch((error: unknown) => {
        world.logger.log('debug', 'a configuration cannot be pulled for now', {
          service: this.service,
          error: String(error),
        })
      })
    }
  }

  async #useLocalCopy(): Promise<void> {
    const { localCopy, world } = this.#options
    try {
      const copy = await localCopy?.read(this.service)
      if (copy === undefined || this.#heard.size === 2 || this.#closing.signal.aborted) return
      await this.#evaluate(copy.records, true)
      if (this.#run?.isLocal === true) this.#confirmedAtMs = copy.confirmedAtMs
    } catch (error) {
      const { message } = asAlthingError(error)
      this.#copyProblem = { kind: 'local-copy', message }
      world.logger.log('error', 'the local copy of a configuration is not used', {
        service: this.service,
        error: message,
      })
      this.#tell()
    }
  }

  #take(scope: ScopeName, kv: KeyValue | undefined, revision: number): void {
    const heard = this.#heard.get(scope)
    if (heard !== undefined && revision < heard.revision) return
    try {
      const record = kv === undefined ? undefined : decodeRecord(kv.key, kv.value)
      this.#heard.set(scope, { record, revision })
    } catch (error) {
      this.#refuse({ kind: 'unreadable', message: asAlthingError(error).message })
      return
    }
    // Before both are known, a view would have a layer missing.
    if (this.#heard.size < 2) return
    this.#isDirty = true
    this.#evaluating ??= this.#evaluateNewest()
  }

  async #evaluateNewest(): Promise<void> {
    while (this.#isDirty && !this.#closing.signal.aborted) {
      this.#isDirty = false
      const records = {
        global: this.#heard.get('global')?.record,
        service: this.#heard.get('service')?.record,
      }
      await this.#evaluate(records, false).catch((error: unknown) => {
        this.#refuse({ kind: 'schema', message: asAlthingError(error).message })
      })
    }
    this.#evaluating = undefined
  }

  /** Only this gives readers something new to see: a view that is whole and fits. */
  async #evaluate(records: Records, isLocal: boolean): Promise<void> {
    const { service, box, schema, identity } = this.#options
    const behind = this.#behind(records)
    if (behind !== undefined) return this.#refuse(behind)
    const result = await evaluateView({ service, records, identity, box, schema })
    if (this.#closing.signal.aborted) return
    // The store was heard meanwhile: its word is newer than any copy.
    if (isLocal && this.#run !== undefined) return
    if ('problem' in result) return this.#refuse(result.problem)
    const isSame = this.#run?.isLocal === isLocal && this.#isSeen(this.#run.records, records, result.view)
    this.#run = { records, isLocal }
    this.#problem = undefined
    if (!isLocal) {
      this.#copyProblem = undefined
      this.#save()
    }
    if (isSame) return
    this.#sinceMs = this.#options.world.clock.wallMs()
    this.#states.set({
      ...result.view,
      source: isLocal ? 'local-copy' : 'store',
      stale: isLocal || this.#silence.isSilent,
    })
    this.#tell()
    this.#ready.resolve()
  }

  /** The same versions of the same lineages: then the values are the same. */
  #isSeen(seen: Records, records: Records, view: ConfigView<Values>): boolean {
    const { latest } = this.#states
    return (
      latest !== undefined &&
      latest.problem === undefined &&
      latest.version === view.version &&
      latest.globalVersion === view.globalVersion &&
      latest.sealed.length === view.sealed.length &&
      seen.global?.lineage === records.global?.lineage &&
      seen.service?.lineage === records.service?.lineage
    )
  }

  /** What the store has is older than what this instance has run: it stays with the newer. */
  #behind(records: Records): ConfigProblem | undefined {
    for (const scope of ['global', 'service'] as const) {
      const known = this.#run?.records[scope]
      const next = records[scope]
      if (
        known === undefined ||
        next === undefined ||
        known.lineage !== next.lineage ||
        next.latest >= known.latest
      )
        continue
      const name = scope === 'global' ? 'the global layer' : this.service
      const message = `the store has version ${next.latest} of ${name}, older than ${known.latest}, which this instance has seen`
      return { kind: 'behind', message, version: next.latest }
    }
    return undefined
  }

  #refuse(problem: ConfigProblem): void {
    if (this.#problem?.message === problem.message) return
    this.#problem = problem
    this.#options.world.logger.log('error', 'a version of a configuration is not used', {
      service: this.service,
      ...problem,
    })
    const { latest } = this.#states
    if (latest !== undefined) this.#states.set({ ...latest, problem })
    this.#tell()
  }

  #mark(stale: boolean): void {
    const { latest } = this.#states
    if (latest !== undefined && latest.stale !== stale && latest.source === 'store')
      this.#states.set({ ...latest, stale })
  }

  #save(): void {
    const { localCopy, world, service } = this.#options
    if (localCopy === undefined || this.#run === undefined) return
    this.#savedMs = world.clock.monotonicMs()
    localCopy.write({ service, records: this.#run.records, confirmedAtMs: world.clock.wallMs() }, (error) => {
      const message = `the local copy cannot be written: ${asAlthingError(error).message}`
      this.#copyProblem = { kind: 'local-copy', message }
      world.logger.log('error', 'the local copy of a configuration cannot be written', {
        service,
        error: String(error),
      })
      this.#tell()
    })
  }

  /** So that its age tells of the store, and not of the last change. */
  #confirmCopy(): void {
    const isDue = this.#options.world.clock.monotonicMs() - this.#savedMs >= confirmMs
    if (isDue && this.#run?.isLocal === false && this.#problem === undefined) this.#save()
  }

  #tell(): void {
    const { latest } = this.#states
    const { problem } = this
    this.#options.reporter?.tell({
      labels: this.#options.identity.labels,
      version: latest?.version ?? 0,
      globalVersion: latest?.globalVersion ?? 0,
      source: latest?.source ?? 'none',
      sinceMs: this.#sinceMs,
      ...(problem === undefined ? {} : { problem }),
    })
  }
}
