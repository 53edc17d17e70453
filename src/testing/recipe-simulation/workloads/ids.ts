import { isAlthingError } from '../../../contracts/errors.ts'
import { IdService } from '../../../ids/id-service.ts'
import type { SnowflakeGenerator } from '../../../ids/snowflake-types.ts'
import { checkIdsUnique } from '../../invariants/ids-unique.ts'
import type { InvariantViolation } from '../../invariants/violation.ts'
import { insisted, rest, sleep, succeeded, tried, type User } from '../user.ts'
import type { CreateWorkload, Succession, Workload, WorkloadStage } from '../workload.ts'

/** Fewer worker ids than generators at times, so that they are passed on. */
const layout = { workerBits: 2, sequenceBits: 6 } as const
const refusals = ['lost', 'lease-not-found', 'stale-token', 'conflict']
const policies = ['wait', 'borrow', 'throw'] as const

/** Snowflakes of leased worker ids and ids of segments are given in bursts, through crashes, stops and steps of the clock by hours. */
class IdWorkload implements Workload {
  readonly leavesNothingUnder: readonly string[] = []
  readonly succession: Succession
  readonly #given = new Map<string, bigint[]>()
  readonly #counts = { generators: 0, ids: 0, segmentIds: 0, refused: 0, clockBack: 0 }
  #rounds = 0

  constructor({ configuration }: WorkloadStage) {
    const take = async (user: User): Promise<void> => {
      const service = new IdService(user)
      // The one worker id that there is.
      const only = { layout: { workerBits: 0 }, ttl: configuration.ttlMs, reserve: '100ms' } as const
      const generator = await insisted(user, () => service.snowflake('succession', only))
      this.#note('succession', await insisted(user, () => generator.nextAsync()))
    }
    this.succession = { first: take, next: take, withinMs: configuration.ttlMs }
  }

  get rounds(): number {
    return this.#rounds
  }

  readonly use = async (user: User): Promise<void> => {
    const service = new IdService(user)
    while (!user.isStopping()) {
      await this.#generate(user, service)
      await rest(user)
    }
    await service.close().catch(() => {})
  }

  judge(): InvariantViolation | undefined {
    return checkIdsUnique(this.#given)
  }

  reached(): Readonly<Record<string, number>> {
    return this.#counts
  }

  async #generate(user: User, service: IdService): Promise<void> {
    const { random, configuration } = user
    const options = {
      layout,
      ttl: configuration.ttlMs,
      reserve: '400ms',
      onClockBack: random.pick(policies),
      spinMax: 0,
    } as const
    const generator = await tried(
      user,
      () => this.#open(() => service.snowflake('orders', options)),
      refusals,
    )
    if (generator === undefined) return
    const segment = service.segment('tag', { step: 5, stepMax: 40 })
    for (let bursts = random.integer(1, 10); bursts > 0 && !user.isStopping(); bursts--) {
      if (generator !== 'clock-back') await this.#burst(user, generator)
      const id = await tried(user, () => segment.nextAsync({ timeout: '2s' }), refusals)
      if (id !== undefined) {
        this.#note('segment', id)
        this.#counts.segmentIds++
      }
      await sleep(user.world, random.exponential(100))
    }
    await segment.close()
    if (generator !== 'clock-back') {
      const closing = succeeded(user, () => generator.close(), refusals)
      if (random.chance(0.7)) await closing
    }
    this.#rounds++
  }

  /** Once clocks went hours ahead and came back, every worker id may be spent for times to come: then there is rightly none, and ids of segments alone go on. */
  async #open(open: () => Promise<SnowflakeGenerator>): Promise<SnowflakeGenerator | 'clock-back'> {
    try {
      const generator = await open()
      this.#counts.generators++
      return generator
    } catch (error) {
      if (!isAlthingError(error, 'unavailable') || error.details?.['cause'] !== 'clock-back') throw error
      this.#counts.clockBack++
      return 'clock-back'
    }
  }

  async #burst(user: User, generator: SnowflakeGenerator): Promise<void> {
    const { random } = user
    const first = await tried(user, () => generator.nextAsync({ timeout: '2s' }), refusals)
    if (first === undefined) {
      this.#counts.refused++
      return
    }
    const more: bigint[] = [first]
    await tried(user, async () => {
      for (let i = random.integer(0, 70); i > 0; i--) more.push(generator.next())
    })
    for (const id of more) this.#note('snowflake', id)
    this.#counts.ids += more.length
  }

  #note(kind: string, id: bigint): void {
    const ids = this.#given.get(kind)
    if (ids === undefined) this.#given.set(kind, [id])
    else ids.push(id)
  }
}

export const createIdWorkload: CreateWorkload = (stage) => new IdWorkload(stage)
