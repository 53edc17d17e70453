import { AlthingError, isAlthingError, withOutcome } from '../../contracts/errors.ts'
import type { CallOptions, LeaseGrant, LeaseId, LeaseStatus, ReadOptions } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { type Attempt, type EtcdCalls, unary } from './calls.ts'
import type { CallHeaders, Endpoint } from './endpoint.ts'
import { leaseNotFound } from './etcd-errors.ts'
import { etcdRange } from './key-ranges.ts'
import { methods } from './messages.ts'
import { revisionOf } from './txn-plan.ts'

/** Leases whose time and keys are asked for at once. */
const askedAtOnce = 64

/** The leases of etcd: whole seconds, ids that the client chooses. */
export class EtcdLeases {
  readonly #world: World
  readonly #calls: EtcdCalls

  constructor(world: World, calls: EtcdCalls) {
    this.#world = world
    this.#calls = calls
  }

  /**
   * The id is random, so asking again for the same one is harmless: that it exists already means that an earlier copy of the request was served. The time
   * that the server gives is at least what is asked for.
   */
  async grant(ttlMs: number, options: CallOptions): Promise<LeaseGrant> {
    const remaining = this.#calls.sharing(options)
    const lease = this.#world.random.integer(1, Number.MAX_SAFE_INTEGER)
    let isRepeated = false
    const grant = await this.#calls.make<LeaseGrant | undefined>({
      repetition: 'repeatable',
      options,
      attempt: (endpoint, headers, done) => {
        const wasRepeated = isRepeated
        isRepeated = true
        const request = { ttl: Math.ceil(ttlMs / 1_000), id: lease }
        return endpoint.unary(methods.leaseGrant, request, headers, (error, response) => {
          if (response !== undefined) done(undefined, { lease, ttlMs: response.ttl * 1_000 })
          else if (wasRepeated && error?.code === 'conflict') done(undefined, undefined)
          else done(error)
        })
      },
    })
    // Granted by a request whose answer was lost, and with it the time that the server gave.
    return grant ?? (await this.keepAlive(lease, remaining()))
  }

  async keepAlive(lease: LeaseId, options: CallOptions): Promise<LeaseGrant> {
    const [result] = await this.keepManyAlive([lease], options)
    if (isAlthingError(result)) throw result
    return result as LeaseGrant
  }

  /** All over one stream; etcd answers in the order in which it was asked. */
  async keepManyAlive(
    leases: readonly LeaseId[],
    options: CallOptions,
  ): Promise<readonly (LeaseGrant | AlthingError)[]> {
    if (leases.length === 0) return []
    return await this.#calls.make({ repetition: 'repeatable', options, attempt: renewalOf(leases) })
  }

  /** Repeated where no answer came; that there is no such lease then leaves open whether an earlier copy of the request ended it. */
  async revoke(lease: LeaseId, options: CallOptions): Promise<{ readonly revision: number }> {
    const response = await this.#calls.make({
      repetition: 'repeatable',
      options,
      attempt: unary(methods.leaseRevoke, { id: lease }),
    })
    return { revision: revisionOf(response) }
  }

  /**
   * A member lists the leases of its own copy, so it is first made to catch up with the quorum, where that is asked for. Time and keys come from the
   * leader, lease by lease, each of its own moment.
   */
  async list(options: ReadOptions): Promise<readonly LeaseStatus[]> {
    const needsLeader = options.consistency !== 'serializable'
    const remaining = this.#calls.sharing(options)
    const ids = await this.#calls.make({
      repetition: 'read',
      needsLeader,
      options: remaining(),
      attempt: needsLeader ? listCaughtUp : listOwn,
    })
    const statuses: LeaseStatus[] = []
    for (let first = 0; first < ids.length; first += askedAtOnce) {
      const page = ids.slice(first, first + askedAtOnce)
      const found = await Promise.all(page.map((id) => this.#status(id, remaining())))
      for (const status of found) if (status !== undefined) statuses.push(status)
    }
    return statuses.toSorted((a, b) => a.lease - b.lease)
  }

  /** `undefined` for one that has ended meanwhile. */
  async #status(id: bigint, options: CallOptions): Promise<LeaseStatus | undefined> {
    const attempt = unary(methods.leaseTimeToLive, { id, keys: true })
    const { ttl, grantedTtl, keys } = await this.#calls.make({ repetition: 'read', options, attempt })
    if (ttl < 0) return undefined
    return {
      lease: Number(id),
      ttlMs: grantedTtl * 1_000,
      keys: keys.toSorted(),
      remainingMs: ttl * 1_000,
    }
  }
}

type Listed = Attempt<readonly bigint[]>

const listOwn: Listed = (endpoint, headers, done) =>
  endpoint.unary(methods.leaseLeases, {}, headers, (error, response) => {
    done(
      error,
      response?.leases.map(({ id }) => id),
    )
  })

const listCaughtUp: Listed = (endpoint, headers, done) => {
  const barrier = { ...etcdRange({ key: '' }), countOnly: true }
  let cancel = endpoint.unary(methods.range, barrier, headers, (error) => {
    if (error === undefined) cancel = listOwn(endpoint, headers, done)
    else done(error)
  })
  return () => cancel()
}

function renewalOf(leases: readonly LeaseId[]): Attempt<readonly (LeaseGrant | AlthingError)[]> {
  return (endpoint: Endpoint, headers: CallHeaders, done) => {
    const results: (LeaseGrant | AlthingError)[] = []
    const stream = endpoint.stream(methods.leaseKeepAlive, headers, {
      message: ({ ttl }) => {
        const lease = leases[results.length]
        if (lease === undefined) return
        results.push(ttl > 0 ? { lease, ttlMs: ttl * 1_000 } : leaseNotFound(lease))
        if (results.length < leases.length) return
        done(undefined, results)
      },
      ended: (error) => done(error ?? endedEarly(endpoint)),
    })
    for (const id of leases) stream.write({ id })
    stream.finish()
    return () => stream.cancel()
  }
}

function endedEarly(endpoint: Endpoint): AlthingError {
  return withOutcome(
    new AlthingError('unavailable', `etcd at ${endpoint.address} ended the stream of renewals`),
    'unknown',
  )
}
