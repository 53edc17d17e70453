import { AlthingError } from '../../contracts/errors.ts'
import type { ReadOptions, Store } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { prefixRange } from '../locks/lock-entry.ts'
import { randomId, shortText, wholeNumber } from '../names.ts'
import { readWholeRange } from '../range-pages.ts'
import { timesOfDefinition } from './cron-definition.ts'
import {
  decodeRecord,
  decodeState,
  historyRange,
  scheduleKey,
  scheduleNameOf,
  schedulesPrefix,
} from './cron-keys.ts'
import { CronChange } from './cron-state.ts'
import { writeChange } from './write-change.ts'
import type { CronOverview, CronRecord } from './cron-types.ts'

const attemptsMax = 20

/** What an operator sees of the schedules of a store, and can do about them. */
export class CronOffice {
  readonly #store: Store
  readonly #world: World

  constructor(store: Store, world: World) {
    this.#store = store
    this.#world = world
  }

  async list(options: ReadOptions): Promise<readonly CronOverview[]> {
    const { kvs } = await readWholeRange(this.#store, prefixRange(schedulesPrefix), options)
    return kvs.map((kv) => {
      const { definition, decidedUntilMs, paused, running, waiting } = decodeState(kv)
      const nextMs = timesOfDefinition(definition).next(decidedUntilMs)
      return {
        name: scheduleNameOf(kv.key),
        definition,
        decidedUntilMs,
        ...(paused === undefined ? { nextMs } : { paused }),
        running,
        waiting,
      }
    })
  }

  async history(
    name: string,
    options: ReadOptions & { readonly limit?: number },
  ): Promise<readonly CronRecord[]> {
    const { limit, ...read } = options
    const count = limit === undefined ? 1_000 : wholeNumber('limit', limit, 1, 1_000)
    const [schedule, records] = await Promise.all([
      this.#store.range({ key: scheduleKey(name), keysOnly: true }, read),
      this.#store.range({ ...historyRange(name), limit: count, order: 'descending' }, read),
    ])
    if (schedule.kvs.length === 0) throw notFound(name)
    return records.kvs.flatMap((kv) => decodeRecord(kv) ?? [])
  }

  async pause(
    name: string,
    pause: { readonly by: string; readonly reason: string | undefined },
  ): Promise<void> {
    const by = shortText('by', pause.by, 256) ?? ''
    const reason = shortText('reason', pause.reason, 512)
    const atMs = this.#world.clock.wallMs()
    await this.#change(name, (change) =>
      change.pause({ by, atMs, ...(reason === undefined ? {} : { reason }) }),
    )
  }

  async resume(name: string, nowMs: number): Promise<void> {
    await this.#change(name, (change) => change.resume(nowMs))
  }

  async runNow(name: string, nowMs: number): Promise<string> {
    const id = `manual-${randomId(this.#world)}`
    await this.#change(name, (change) => {
      if (!change.runNow(id, nowMs)) throw tooManyWait(name)
    })
    return id
  }

  async remove(name: string): Promise<boolean> {
    const reply = await this.#store.txn({
      then: [
        { op: 'delete', key: scheduleKey(name) },
        { op: 'delete', ...historyRange(name) },
      ],
    })
    const [first] = reply.replies
    return first?.op === 'delete' && first.deleted > 0
  }

  async #change(name: string, make: (change: CronChange) => void): Promise<void> {
    const key = scheduleKey(name)
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const kv = (await this.#store.range({ key })).kvs[0]
      if (kv === undefined) throw notFound(name)
      const change = new CronChange(decodeState(kv))
      make(change)
      if (change.isEmpty) return
      const reply = await writeChange(this.#store, name, change, kv.modRevision)
      if (reply.succeeded) return
    }
    throw new AlthingError('conflict', `schedule "${name}" was changed by others ${attemptsMax} times`, {
      outcome: 'none',
      retryable: true,
    })
  }
}

function notFound(name: string): AlthingError {
  return new AlthingError('not-found', `there is no schedule "${name}"`, {
    outcome: 'none',
    details: { name },
  })
}

function tooManyWait(name: string): AlthingError {
  return new AlthingError('overloaded', `as many runs of schedule "${name}" wait as may`, {
    outcome: 'none',
    details: { name },
  })
}
