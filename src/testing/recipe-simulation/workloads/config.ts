import {
  type ConfigRecord,
  currentKey,
  decodeRecord,
  emptyVersion,
  globalScope,
  instancesRange,
  type StoredVersion,
} from '../../../coordination/config/config-record.ts'
import type { ConfigReader } from '../../../coordination/config/config-types.ts'
import { ConfigService } from '../../../coordination/config/config.ts'
import { versionFor } from '../../../coordination/config/staged-release.ts'
import { checkConfigVersions, type SeenConfig } from '../../invariants/config-versions.ts'
import type { InvariantViolation } from '../../invariants/violation.ts'
import { insisted, rest, sleep, succeeded, tried, type User, untilClosing } from '../user.ts'
import type { CreateWorkload, Succession, Workload, WorkloadStage } from '../workload.ts'

/** Of the reports of instances. */
const reportTtlMs = 15_000
/** Others were faster, and what was to be done can be done no more. */
const refusals = ['conflict', 'not-found', 'invalid-argument']

const schema = {
  type: 'object',
  properties: { a: { type: 'integer', minimum: 0 }, b: { type: 'integer' }, shared: { type: 'integer' } },
}
const isAllowed = (values: Readonly<Record<string, unknown>>): boolean => Number(values['a'] ?? 0) >= 0

const serviceName = (number: number): string => `service${number}`
const instanceOf = (name: string): string => name.split('.')[0] as string

/** Users write, stage, widen, promote, abort, roll back, and try what the schema forbids; observers read, with copies on their disks. */
class ConfigWorkload implements Workload {
  readonly leavesNothingUnder = [instancesRange(globalScope).key]
  readonly succession: Succession
  readonly #stage: WorkloadStage
  readonly #seen: SeenConfig[] = []
  /** Of observers that run now, by their name and service. */
  readonly #readers = new Map<string, ConfigReader>()
  readonly #counts = { written: 0, staged: 0, ended: 0, fromCopies: 0, stale: 0 }
  #number = 0
  #rounds = 0

  constructor(stage: WorkloadStage) {
    this.#stage = stage
    const isListed = async (user: User): Promise<boolean> => {
      const config = new ConfigService(user)
      return (await insisted(user, () => config.instances('succession'))).length > 0
    }
    this.succession = {
      first: async (user) => {
        new ConfigService(user).open('succession', { instance: 'mortal' })
        while (!(await isListed(user))) await sleep(user.world, 50)
      },
      next: async (user) => {
        while (await isListed(user)) await sleep(user.world, 20)
      },
      withinMs: reportTtlMs,
    }
  }

  get rounds(): number {
    return this.#rounds
  }

  readonly use = async (user: User): Promise<void> => {
    const config = new ConfigService({ ...user, historyMax: 1_000 })
    while (!user.isStopping()) {
      if (await succeeded(user, () => this.#write(user, config), refusals)) this.#rounds++
      await sleep(user.world, 200)
      await rest(user)
    }
    await config.close()
  }

  readonly observe = async (user: User): Promise<void> => {
    const config = new ConfigService(user)
    const instance = instanceOf(user.name)
    for (let i = 1; i <= user.configuration.things; i++) {
      const service = serviceName(i)
      const localCopy = `copies/${instance}-${service}`
      const pullEvery = user.random.pick([2_000, 10_000, 60_000])
      const openedAt = {
        version: this.#versionFor(service, instance).version,
        globalVersion: this.#versionFor(globalScope, instance).version,
      }
      const reader = config.open(service, { instance, localCopy, pullEvery })
      const name = `${user.name}/${service}`
      this.#readers.set(name, reader)
      reader.subscribe((state) => {
        if (state.source === 'local-copy') this.#counts.fromCopies++
        if (state.stale) this.#counts.stale++
        const { version, globalVersion, values, source } = state
        const told = { reader: name, service, instance, version, globalVersion, values }
        this.#seen.push(source === 'store' ? { ...told, openedAt } : told)
      })
    }
    await untilClosing(user)
    await config.close()
  }

  died(user: string): void {
    for (const name of this.#readers.keys()) if (name.startsWith(`${user}.`)) this.#readers.delete(name)
  }

  /** All run what is theirs, by the word of the store. */
  hasConverged(): boolean {
    const { configuration } = this.#stage
    return (
      this.#readers.size === configuration.observers * configuration.things &&
      [...this.#readers.values()].every(({ service, instance, current }) => {
        if (current === undefined || current.stale || current.source !== 'store') return false
        return (
          current.version === this.#versionFor(service, instance).version &&
          current.globalVersion === this.#versionFor(globalScope, instance).version
        )
      })
    )
  }

  judge(): InvariantViolation | undefined {
    return checkConfigVersions(this.#seen, isAllowed, this.#stage.log.events)
  }

  reached(): Readonly<Record<string, number>> {
    return { ...this.#counts, seen: this.#seen.length }
  }

  #versionFor(scope: string, instance: string): StoredVersion {
    const key = currentKey(scope)
    const [kv] = this.#stage.log.model.range({ key }).kvs
    const record: ConfigRecord | undefined = kv && decodeRecord(key, kv.value)
    return record === undefined ? emptyVersion : versionFor(scope, record, { instance, labels: {} })
  }

  /** One step, as chance has it; rejects where others were faster. */
  async #write(user: User, config: ConfigService): Promise<unknown> {
    const { random, configuration } = user
    const by = { author: user.name }
    const scope = serviceName(random.integer(1, configuration.things))
    const document = await tried(user, () => config.get(scope))
    if (document === undefined) return undefined
    const { latest, staged, stable } = document
    if (latest === 0) return await config.setSchema(scope, schema, by)
    const number = ++this.#number
    const values = { a: number, b: number }
    if (staged !== undefined && random.chance(0.5)) {
      this.#counts.ended++
      const { share } = staged
      return await random.pick([
        () => config.promote(scope, by),
        () => config.abort(scope, by),
        () => config.release(scope, { share: Math.min(100, share + 30) }, by),
      ])()
    }
    const written = await random.pick([
      () => config.set(scope, values, by),
      () => config.set(scope, values, { ...by, expectedVersion: latest }),
      () => config.set(scope, { a: -number, b: number }, by),
      () => config.set(scope, { own: number }, { ...by, instance: 'observer1' }),
      () => config.set(globalScope, { shared: number, b: -number }, by),
      () => config.rollback(scope, Math.max(1, stable.version - 1), by),
      () => config.set(scope, values, { ...by, release: { share: 50 } }),
    ])()
    this.#counts.written++
    if (written.staged !== undefined) this.#counts.staged++
    return written
  }
}

export const createConfigWorkload: CreateWorkload = (stage) => new ConfigWorkload(stage)
