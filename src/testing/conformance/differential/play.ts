import { type ByteString, byteStringFromBytes } from '../../../base/bytes.ts'
import {
  type AlthingError,
  asAlthingError,
  type ErrorCode,
  errorFromJson,
  isAlthingError,
} from '../../../contracts/errors.ts'
import {
  type LeaseGrant,
  type LeaseId,
  limitsOf,
  type OperationReply,
  type Store,
  type TxnReply,
  type TxnRequest,
} from '../../../contracts/store.ts'
import type { World } from '../../../contracts/world.ts'
import type { StoreModel } from '../../../models/store/store-model.ts'
import type { StoreMutation, StoreReply } from '../../../models/store/types.ts'
import { isReadOnly } from '../../../models/store/txn.ts'
import { EventLog, type RevisionEvents } from '../../checkers/event-log.ts'
import { checkWatches } from '../../checkers/watch-guarantees.ts'
import { bytesOf, plainKeyValue } from '../plain.ts'
import type { DrawnCommand, LeaseReference } from './command.ts'
import { FollowedWatch } from './followed-watch.ts'
import {
  EngineTerms,
  modelTerms,
  type Moment,
  resolveKeys,
  resolveLease,
  resolveRange,
  resolveRevision,
  resolveTxn,
} from './terms.ts'

type Command<Type extends DrawnCommand['type']> = DrawnCommand & { readonly type: Type }

/** Where the engine and the model part. */
export interface Difference {
  /** Place in the list; its length for what is found at the end. */
  readonly at: number
  readonly command?: DrawnCommand
  readonly expected: string
  readonly actual: string
}

export interface PlayOptions {
  readonly stores: readonly Store[]
  readonly world: Pick<World, 'clock' | 'timers' | 'random'>
  readonly model: StoreModel
}

const watchesMax = 8
const lapseTtlMs = 300
/** Of a lease that runs out: how much later than the engine says is too late, on a busy machine. */
const lapsePatienceMs = 20_000
const stamp = { session: 0, sequence: 0, acknowledged: 0 } as const

class Differs extends Error {
  readonly expected: string
  readonly actual: string

  constructor(expected: unknown, actual: unknown) {
    super('the engine and the model differ')
    this.expected = textOf(expected)
    this.actual = textOf(actual)
  }
}

/** Gives the same commands to an engine and to the model, one after the other, and compares every reply, every watch and the state at the end. Leaves nothing behind. */
export async function play(
  commands: readonly DrawnCommand[],
  options: PlayOptions,
): Promise<Difference | undefined> {
  const playing = await Playing.begin(options)
  let at = 0
  let isAlike = false
  try {
    for (const command of commands) {
      await playing.step(command)
      at++
    }
    await playing.finish()
    isAlike = true
    return undefined
  } catch (error) {
    const command = commands[at]
    const place = command === undefined ? { at } : { at, command }
    if (error instanceof Differs) return { ...place, expected: error.expected, actual: error.actual }
    return { ...place, expected: 'an answer', actual: textOf(error) }
  } finally {
    await playing.tidy(isAlike)
  }
}

class Playing {
  readonly #stores: readonly Store[]
  readonly #world: PlayOptions['world']
  readonly #model: StoreModel
  readonly #terms: EngineTerms
  readonly #leases: number[] = []
  /** All that the engine has granted, whatever became of them. */
  readonly #granted: LeaseId[] = []
  readonly #changes: RevisionEvents[] = []
  readonly #open: FollowedWatch[] = []
  readonly #closed: FollowedWatch[] = []

  private constructor({ stores, world, model }: PlayOptions, terms: EngineTerms) {
    this.#stores = stores
    this.#world = world
    this.#model = model
    this.#terms = terms
  }

  /** Both are compacted up to where they begin, so that an engine with a past is like a new one. */
  static async begin(options: PlayOptions): Promise<Playing> {
    const { world, model } = options
    const prefix = `d${Buffer.from(world.random.bytes(6)).toString('hex')}/`
    const store = options.stores[0] as Store
    // Nothing has ever happened at the first revision of a store, so that no run begins there.
    await store.txn({ then: [{ op: 'put', key: prefix, value: new Uint8Array() }] })
    const { revision } = await store.txn({ then: [{ op: 'delete', key: prefix }] })
    await store.compact(revision)
    model.apply({ ...stamp, type: 'compact', revision: model.revision })
    return new Playing(options, new EngineTerms(prefix, revision))
  }

  async step(command: DrawnCommand): Promise<void> {
    switch (command.type) {
      case 'txn':
        return this.#txn(command)
      case 'range':
        return this.#range(command)
      case 'grant':
        await this.#grant(this.#storeFor(command), command.ttlMs)
        return
      case 'renew':
        return this.#renew(command)
      case 'renewMany':
        return this.#renewMany(command)
      case 'revoke':
        return this.#revoke(command)
      case 'leases':
        return this.#compareLeases(this.#storeFor(command))
      case 'compact':
        return this.#compact(command)
      case 'watch':
        return this.#watch(command)
      case 'closeWatch':
        return this.#closeWatch(command.ago)
      case 'lapse':
        return this.#lapse(command)
    }
  }

  async finish(): Promise<void> {
    const [store] = this.#stores as [Store]
    await this.#settle()
    for (const back of [0, 1, 2, 5, 10, 20]) {
      const revision = Math.max(1, this.#model.revision - back)
      await this.#compareRange(store, { key: '', end: null, revision })
    }
    await this.#compareLeases(store)
    const log = new EventLog(this.#changes)
    const observations = [...this.#closed, ...this.#open].map((watch) => watch.observation(this.#terms))
    const { findings } = checkWatches(log, observations)
    if (findings.length > 0) {
      throw new Differs('watches that keep their guarantees', findings.slice(0, 5))
    }
  }

  /** Takes away what it has put and granted, after a difference whatever the model says of that: a lease that stays would end in the midst of a later run. */
  async tidy(isAlike: boolean): Promise<void> {
    for (const watch of this.#open) watch.close()
    const [store] = this.#stores as [Store]
    const { prefix, end } = this.#terms
    // What cannot be tidied up has been found already, or will be by the next run.
    await store.txn({ then: [{ op: 'delete', key: prefix, end }] }).catch(() => undefined)
    const left = isAlike ? this.#granted.filter((lease) => this.#isInModel(lease)) : this.#granted
    for (const lease of left) await store.revokeLease(lease).catch(() => undefined)
  }

  #isInModel(lease: LeaseId): boolean {
    const ofModel = this.#terms.modelLease(lease)
    return ofModel !== undefined && this.#model.hasLease(ofModel)
  }

  get #moment(): Moment {
    return { revision: this.#model.revision, leases: this.#leases }
  }

  #storeFor({ via }: DrawnCommand): Store {
    return this.#stores[via % this.#stores.length] as Store
  }

  async #txn(command: Command<'txn'>): Promise<void> {
    const moment = this.#moment
    const asked = resolveTxn(command, moment, modelTerms)
    const expected = this.#apply({ type: 'txn', ...asked })
    const request = resolveTxn(command, moment, this.#terms)
    const actual = await answerOf(this.#storeFor(command).txn(request))
    // What only reads has no outcome.
    const withOutcome = !isReadOnly({ type: 'txn', ...asked })
    if (isAlthingError(expected) && isAlthingError(actual) && this.#mayRefuse(asked, actual.code)) {
      compare(
        { outcome: withOutcome ? expected.outcome : '' },
        { outcome: withOutcome ? actual.outcome : '' },
      )
      return
    }
    compare(
      isAlthingError(expected) ? shownError(expected, withOutcome) : shownTxn(expected.reply),
      isAlthingError(actual)
        ? shownError(actual, withOutcome)
        : shownTxn({
            ...actual,
            revision: this.#terms.modelRevision(actual.revision),
            replies: actual.replies.map((reply) => this.#terms.modelReply(reply)),
          }),
    )
  }

  /** Whether some operation of the branch to be taken fails with the code: where several would, the contract does not say which one is told. */
  #mayRefuse({ compare, then, else: otherwise }: Required<TxnRequest>, code: ErrorCode): boolean {
    const { succeeded } = this.#model.readTxn({ type: 'txn', compare, then: [], else: [] })
    return (succeeded ? then : otherwise).some((operation) => {
      if (operation.op === 'range') return codeOf(() => this.#model.range(operation)) === code
      if (operation.op !== 'put' || typeof operation.lease !== 'number' || operation.lease === 0) return false
      return code === 'lease-not-found' && !this.#model.hasLease(operation.lease)
    })
  }

  #range(command: Command<'range'>): Promise<void> {
    return this.#compareRange(
      this.#storeFor(command),
      resolveRange(command, this.#moment, modelTerms),
      command,
    )
  }

  async #compareRange(
    store: Store,
    asked: ReturnType<typeof resolveRange>,
    command?: Command<'range'>,
  ): Promise<void> {
    const expected = await answerOf(Promise.resolve().then(() => this.#model.range(asked)))
    const request =
      command === undefined
        ? {
            key: this.#terms.prefix,
            end: this.#terms.end,
            revision: this.#terms.revision(asked.revision ?? 1),
          }
        : resolveRange(command, this.#moment, this.#terms)
    const actual = await answerOf(store.range(request))
    compare(
      isAlthingError(expected)
        ? shownError(expected, false)
        : { revision: expected.revision, ...shownReply({ op: 'range', ...expected }) },
      isAlthingError(actual)
        ? shownError(actual, false)
        : {
            revision: this.#terms.modelRevision(actual.revision),
            ...shownReply(this.#terms.modelReply({ op: 'range', ...actual })),
          },
    )
  }

  /** The model's id of the lease. */
  async #grant(store: Store, ttlMs: number): Promise<number> {
    const expected = this.#apply({ type: 'grantLease', ttlMs })
    const actual = await store.grantLease({ ttlMs })
    this.#granted.push(actual.lease)
    if (isAlthingError(expected)) throw expected
    const isNew = this.#terms.modelLease(actual.lease) === undefined
    if (actual.ttlMs < ttlMs || !isNew) throw new Differs(`a new lease of ${ttlMs} ms`, actual)
    this.#leases.push(expected.lease)
    this.#terms.granted(expected.lease, actual.lease)
    return expected.lease
  }

  async #renew(command: Command<'renew'>): Promise<void> {
    const lease = resolveLease(command.lease, this.#moment)
    const actual = await answerOf(this.#storeFor(command).keepLeaseAlive(this.#terms.lease(lease)))
    compare(this.#expectedRenewal(lease), this.#shownRenewal(actual))
  }

  async #renewMany(command: Command<'renewMany'>): Promise<void> {
    const store = this.#storeFor(command)
    if (store.keepLeasesAlive === undefined) return
    const leases = command.leases.map((lease: LeaseReference) => resolveLease(lease, this.#moment))
    const actual = await store.keepLeasesAlive(leases.map((lease) => this.#terms.lease(lease)))
    compare(
      leases.map((lease) => this.#expectedRenewal(lease)),
      actual.map((answer) => this.#shownRenewal(answer)),
    )
  }

  #expectedRenewal(lease: number): unknown {
    return this.#model.hasLease(lease) ? { lease } : { refused: 'lease-not-found' }
  }

  #shownRenewal(answer: LeaseGrant | AlthingError): unknown {
    if (isAlthingError(answer)) return shownError(answer, false)
    return { lease: this.#terms.modelLease(answer.lease) }
  }

  async #revoke(command: Command<'revoke'>): Promise<void> {
    const lease = resolveLease(command.lease, this.#moment)
    const expected = this.#apply({ type: 'revokeLease', lease })
    const actual = await answerOf(this.#storeFor(command).revokeLease(this.#terms.lease(lease)))
    compare(
      isAlthingError(expected) ? shownError(expected, true) : { revision: expected.revision },
      isAlthingError(actual)
        ? shownError(actual, true)
        : { revision: this.#terms.modelRevision(actual.revision) },
    )
  }

  async #compareLeases(store: Store): Promise<void> {
    const all = await store.leases()
    const actual = all.flatMap(({ lease, keys }) => {
      const ofModel = this.#terms.modelLease(lease)
      return ofModel === undefined ? [] : [{ lease: ofModel, keys: keys.map((key) => this.#terms.name(key)) }]
    })
    actual.sort((a, b) => a.lease - b.lease)
    const expected = this.#model.leases().map(({ lease, keys }) => ({ lease, keys }))
    compare(expected, actual)
  }

  /** Watches that lag behind could rightly be told of the compaction, or not: they come along first. */
  async #compact(command: Command<'compact'>): Promise<void> {
    await this.#settle()
    const revision = resolveRevision(command.at, this.#moment)
    const expected = this.#apply({ type: 'compact', revision })
    const actual = await answerOf(this.#storeFor(command).compact(this.#terms.revision(revision)))
    compare(
      isAlthingError(expected) ? shownError(expected, true) : { compactRevision: expected.compactRevision },
      isAlthingError(actual)
        ? shownError(actual, true)
        : { compactRevision: this.#terms.modelRevision(actual.compactRevision) },
    )
  }

  async #watch(command: Command<'watch'>): Promise<void> {
    if (this.#open.length >= watchesMax) await this.#closeWatch(0)
    const { keys, from, previous } = command
    const moment = this.#moment
    const fromRevision = from === undefined ? undefined : resolveRevision(from, moment)
    const watch = new FollowedWatch({
      world: this.#world,
      watch: this.#storeFor(command).watch({
        ...resolveKeys(keys, this.#terms),
        previous,
        ...(fromRevision === undefined ? {} : { fromRevision: this.#terms.revision(fromRevision) }),
      }),
      request: {
        ...resolveKeys(keys, modelTerms),
        previous,
        fromRevision: fromRevision ?? moment.revision + 1,
      },
      resyncsAt:
        fromRevision !== undefined && fromRevision <= this.#model.compactRevision
          ? moment.revision
          : undefined,
    })
    this.#open.push(watch)
    const created = await watch.created()
    const revision = this.#terms.modelRevision(created)
    if (fromRevision === undefined) compare({ created: moment.revision }, { created: revision })
  }

  async #closeWatch(ago: number): Promise<void> {
    const [watch] = this.#open.splice(Math.max(0, this.#open.length - 1 - ago), 1)
    if (watch === undefined) return
    await watch.settle(this.#terms, this.#changes)
    watch.close()
    this.#closed.push(watch)
  }

  async #settle(): Promise<void> {
    for (const watch of this.#open) await watch.settle(this.#terms, this.#changes)
  }

  async #lapse(command: Command<'lapse'>): Promise<void> {
    const store = this.#storeFor(command)
    const { leaseTtlMsMin } = limitsOf(store.capabilities)
    const lease = await this.#grant(store, Math.max(lapseTtlMs, leaseTtlMsMin))
    const ofEngine = this.#terms.lease(lease)
    const putting = (key: ByteString, id: number) =>
      ({ op: 'put', key, value: bytesOf('!'), lease: id }) as const
    const bound = await answerOf(
      store.txn({ then: command.keys.map((key) => putting(this.#terms.key(key), ofEngine)) }),
    )
    // On a machine that was held up the lease may be gone before its keys were bound.
    const isGone = isAlthingError(bound) && bound.code === 'lease-not-found'
    if (isAlthingError(bound) && !isGone) throw bound
    if (!isGone) {
      this.#apply({
        type: 'txn',
        compare: [],
        then: command.keys.map((key) => putting(key, lease)),
        else: [],
      })
    }
    await this.#untilEnded(store, ofEngine)
    this.#expire(lease)
    await this.#compareRange(store, { key: '', end: null, revision: this.#model.revision })
  }

  async #untilEnded(store: Store, lease: number): Promise<void> {
    const { clock, timers } = this.#world
    const endMs = clock.monotonicMs() + lapsePatienceMs + store.capabilities.leaseExpiryResolutionMs
    while ((await store.leases()).some((status) => status.lease === lease)) {
      if (clock.monotonicMs() > endMs) throw new Differs('a lease that runs out', `lease ${lease} goes on`)
      await new Promise<void>((resolve) => timers.after(20, resolve))
    }
  }

  #expire(lease: number): void {
    this.#note(this.#model.applyWithChange({ type: 'expireLeases', leases: [lease] }).change)
  }

  #apply<Type extends StoreMutation['type']>(
    mutation: StoreMutation & { readonly type: Type },
  ): Extract<StoreReply, { ok: true; type: Type }> | AlthingError {
    const { reply, change } = this.#model.applyWithChange({ ...stamp, ...mutation })
    this.#note(change)
    return reply.ok ? (reply as Extract<StoreReply, { ok: true; type: Type }>) : errorFromJson(reply.error)
  }

  #note(change: RevisionEvents | undefined): void {
    if (change !== undefined && change.events.length > 0) {
      this.#changes.push({ revision: change.revision, events: change.events })
    }
  }
}

function codeOf(read: () => unknown): ErrorCode | undefined {
  try {
    read()
    return undefined
  } catch (error) {
    return asAlthingError(error).code
  }
}

/** The answer, or the refusal. What is not an answer (an outage, a foreign error) is thrown on. */
async function answerOf<T>(call: Promise<T>): Promise<T | AlthingError> {
  try {
    return await call
  } catch (error) {
    const refusal = asAlthingError(error)
    if (refusal.retryable || refusal.code === 'internal') throw error
    return refusal
  }
}

function compare(expected: unknown, actual: unknown): void {
  if (textOf(expected) !== textOf(actual)) throw new Differs(expected, actual)
}

function shownError({ code, outcome }: AlthingError, withOutcome: boolean): unknown {
  return withOutcome ? { refused: code, outcome } : { refused: code }
}

function shownTxn({ revision, succeeded, replies }: TxnReply): unknown {
  return { revision, succeeded, replies: replies.map(shownReply) }
}

function shownReply(reply: OperationReply): object {
  if (reply.op === 'range') {
    const { count, more } = reply
    return { count, more, kvs: reply.kvs.map((kv) => plainKeyValue(kv, '')) }
  }
  if (reply.op === 'put') {
    return { put: reply.previous === undefined ? null : plainKeyValue(reply.previous, '') }
  }
  return { deleted: reply.deleted, previous: reply.previous?.map((kv) => plainKeyValue(kv, '')) ?? null }
}

function textOf(value: unknown): string {
  if (value instanceof Error) return `${value.name}: ${value.message}`
  return typeof value === 'string'
    ? value
    : JSON.stringify(value, (_, part: unknown) =>
        part instanceof Uint8Array ? byteStringFromBytes(part) : part,
      )
}
