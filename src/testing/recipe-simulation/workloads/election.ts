import { bytesFromText } from '../../../base/bytes.ts'
import { ElectionService } from '../../../coordination/election/election.ts'
import type { Leadership } from '../../../coordination/election/election-types.ts'
import { electionKeys } from '../../../coordination/election/election-view.ts'
import { fencedTxn } from '../../../coordination/fencing.ts'
import { checkLeadersInTurn } from '../../invariants/leaders-in-turn.ts'
import { checkFencedWrites, checkLockExclusive } from '../../invariants/lock-exclusive.ts'
import { checkObservedLeaders, type ObservedLeader } from '../../invariants/observed-leaders.ts'
import type { InvariantViolation } from '../../invariants/violation.ts'
import type { WatchedRight } from '../recipe-observations.ts'
import { insisted, rest, sleep, succeeded, tried, type User, untilClosing, useWhile } from '../user.ts'
import type { CreateWorkload, Succession, Workload, WorkloadStage } from '../workload.ts'

const losses = ['lost', 'lease-not-found', 'stale-token']
const nobodyThere = ['not-found', ...losses]
const taken = ['conflict', ...losses]

const electionName = (number: number): string => `election${number}`
const guarded = (election: string): string => `e/${election}`

/** Candidates stand, lead, proclaim, write under their term, resign, and name their heirs; observers follow. */
class ElectionWorkload implements Workload {
  readonly leavesNothingUnder = ['/althing/elections/']
  readonly succession: Succession
  readonly #stage: WorkloadStage
  readonly #counts = {
    led: 0,
    proclaimed: 0,
    transferred: 0,
    gaveUpStanding: 0,
    staleRefused: 0,
    observed: 0,
  }
  readonly #observed: ObservedLeader[] = []
  /** What each observer that runs now was told last, by its name and election. */
  readonly #latest = new Map<string, ObservedLeader>()
  #rounds = 0

  constructor(stage: WorkloadStage) {
    this.#stage = stage
    const { ttlMs } = stage.configuration
    const take = async (user: User): Promise<void> => {
      const service = new ElectionService(user)
      const leadership = await insisted(user, () => service.campaign(electionName(1), { ttl: ttlMs }))
      user.observations.acquired(user, rightOf(leadership))
    }
    this.succession = { first: take, next: take, withinMs: ttlMs }
  }

  get rounds(): number {
    return this.#rounds
  }

  readonly use = async (user: User): Promise<void> => {
    const service = new ElectionService(user)
    while (!user.isStopping()) {
      await this.#leadOnce(user, service)
      await rest(user)
    }
    await service.close()
  }

  readonly observe = async (user: User): Promise<void> => {
    const service = new ElectionService(user)
    const { things } = user.configuration
    const following = Array.from({ length: things }, (_, i) =>
      this.#follow(user, service, electionName(i + 1)),
    )
    await untilClosing(user)
    await service.close()
    await Promise.all(following)
  }

  died(user: string): void {
    for (const name of this.#latest.keys()) if (name.startsWith(`${user}.`)) this.#latest.delete(name)
  }

  hasConverged(): boolean {
    const { configuration, log } = this.#stage
    const observers = new Set([...this.#latest.keys()].map((name) => name.split('/')[0]))
    return (
      observers.size === configuration.observers &&
      [...this.#latest.values()].every(({ election, term }) => {
        const [kv] = log.model.range({ key: electionKeys(election).leader, keysOnly: true }).kvs
        return (kv?.createRevision ?? 0) === term
      })
    )
  }

  judge(): InvariantViolation | undefined {
    const { observations, configuration, log } = this.#stage
    const names = Array.from({ length: configuration.things }, (_, i) => electionName(i + 1))
    const keys = new Map(names.map((name) => [guarded(name), name]))
    for (const name of names) {
      const violation =
        checkLeadersInTurn(electionKeys(name), log.events) ??
        checkObservedLeaders(
          this.#observed.filter(({ election }) => election === name),
          electionKeys(name).leader,
          log.events,
        )
      if (violation !== undefined) return violation
    }
    return checkLockExclusive(observations.rights.tenures) ?? checkFencedWrites(keys, log)
  }

  reached(): Readonly<Record<string, number>> {
    return { ...this.#counts, observed: this.#observed.length }
  }

  async #leadOnce(user: User, service: ElectionService): Promise<void> {
    const { random, configuration, world } = user
    const election = electionName(random.integer(1, configuration.things))
    const impatience = new AbortController()
    const timer = world.timers.after(random.pick([1_000, 3_000, 8_000]), () => impatience.abort())
    const campaign = {
      value: `value of ${user.name}`,
      ttl: configuration.ttlMs,
      signal: impatience.signal,
      // A name of its own, so that its former life may still be standing.
      ...(random.chance(0.5) ? { candidate: user.name.replace('.', '-') } : {}),
    }
    const leadership = await tried(user, () => service.campaign(election, campaign), taken)
    timer.cancel()
    if (leadership === undefined) {
      this.#counts.gaveUpStanding++
      return
    }
    this.#counts.led++
    user.observations.acquired(user, rightOf(leadership))
    await this.#lead(user, service, leadership)
    this.#rounds++
  }

  async #lead(user: User, service: ElectionService, leadership: Leadership): Promise<void> {
    const { random } = user
    const { election, term } = leadership
    const put = (what: string): { op: 'put'; key: string; value: Uint8Array } => {
      return { op: 'put', key: guarded(election), value: bytesFromText(`${term}:${what}`) }
    }
    let steps = 0
    await useWhile(
      user,
      () => leadership.isLeader,
      async () => {
        const what = `${user.name}-${++steps}`
        if (random.chance(0.3)) {
          if (await succeeded(user, () => leadership.proclaim(what), losses)) this.#counts.proclaimed++
        } else await tried(user, () => leadership.txn({ then: [put(what)] }), losses)
      },
    )
    if (!leadership.isLeader || random.chance(0.3)) {
      const isStale = !leadership.isLeader
      const isWritten = await succeeded(
        user,
        () => fencedTxn(user.store, leadership.fence, { then: [put('late')] }),
        losses,
      )
      if (isStale && !isWritten) this.#counts.staleRefused++
    }
    if (random.chance(0.4)) await this.#transfer(user, service, leadership)
    user.observations.look()
    await succeeded(user, () => leadership.resign(), losses)
  }

  async #transfer(user: User, service: ElectionService, leadership: Leadership): Promise<void> {
    const candidates = (await tried(user, () => service.candidates(leadership.election))) ?? []
    if (candidates.length === 0) return
    const { candidate } = user.random.pick(candidates)
    if (await succeeded(user, () => leadership.transfer(candidate), nobodyThere)) this.#counts.transferred++
  }

  async #follow(user: User, service: ElectionService, election: string): Promise<void> {
    const name = `${user.name}/${election}`
    try {
      for await (const { leader, revision } of service.observe(election)) {
        const term = leader?.term ?? 0
        const state = { observer: name, election, term, value: leader?.value ?? '', revision }
        this.#observed.push(state)
        this.#latest.set(name, state)
        await sleep(user.world, user.random.exponential(50))
      }
    } catch (error) {
      if (!user.isClosing()) throw error
    }
  }
}

function rightOf(leadership: Leadership): WatchedRight {
  return {
    name: leadership.election,
    token: leadership.term,
    fence: leadership.fence,
    lost: leadership.lost,
    get isHeld() {
      return leadership.isLeader
    },
  }
}

export const createElectionWorkload: CreateWorkload = (stage) => new ElectionWorkload(stage)
