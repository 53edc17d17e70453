import { AlthingError } from '../../contracts/errors.ts'
import type { LeaseGrant, LeaseId, LeaseStatus } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import type { StoreModel } from '../../models/store/store-model.ts'
import type { StateHash, StoreChange, StoreMutation } from '../../models/store/types.ts'
import { HistoryKeeper } from '../local/history-keeper.ts'
import type { HistoryBounds } from '../local/history-policy.ts'
import { SpaceWarning } from '../local/space-warning.ts'
import { StoreAdmission, type StoreBounds, type StoreSpace } from '../local/store-admission.ts'
import { WatchHub, type WatchHubBounds } from '../local/watch-hub.ts'
import { LeaseTimer } from './lease-timer.ts'
import type { AppliedMessage } from './log-machine.ts'
import { type Publication, Publisher } from './publisher.ts'
import { Replica, type ReplicaObserver } from './replica.ts'
import { type ReplyCallback, SessionCommands } from './session-commands.ts'
import type { LogMessage, SharedLog } from './shared-log.ts'
import { type SnapshotBounds, SnapshotKeeper } from './snapshot-keeper.ts'

export interface LogHostOptions
  extends Partial<HistoryBounds>,
    Partial<WatchHubBounds>,
    Partial<SnapshotBounds> {
  readonly world: World
  readonly log: SharedLog
  /** Bounds that this process keeps to in what it writes. */
  readonly bounds?: Partial<StoreBounds>
}

/** The copy is whole in memory: less than a server of the engine's own would take. */
export const defaultQuotaBytes = 512 * 1024 * 1024

/** The store in this process: the copy, its watchers, and all that speaks for it in the log. */
export class LogHost {
  readonly watches: WatchHub
  readonly #world: World
  readonly #log: SharedLog
  readonly #replica: Replica
  readonly #publisher: Publisher
  readonly #commands: SessionCommands
  readonly #leases: LeaseTimer
  readonly #snapshots: SnapshotKeeper
  readonly #history: HistoryKeeper
  readonly #admission: StoreAdmission
  readonly #spaceWarning: SpaceWarning
  #onFailed: (error: AlthingError) => void = () => undefined
  #failure: AlthingError | undefined
  /** The message that was applied last is this process's own: who writes is the one who keeps the history within its bounds. */
  #wroteLast = false
  #isStarted = false
  #closing: Promise<void> | undefined

  constructor(options: LogHostOptions) {
    const { world, log } = options
    this.#world = world
    this.#log = log
    this.#replica = new Replica(world, log, this.#observer())
    const { machine } = this.#replica
    this.watches = new WatchHub(world, machine.model, {
      ...options,
      isInTouch: () => this.#replica.isFollowing,
    })
    this.#admission = new StoreAdmission(machine.model, { quotaBytes: defaultQuotaBytes, ...options.bounds })
    this.#spaceWarning = new SpaceWarning(world.logger)
    this.#publisher = new Publisher({
      world,
      log,
      applied: () => this.#replica.sequence,
      wentBack: (sequence) => this.#replica.wentBack(sequence),
      makeRoom: () => this.#snapshots.makeRoom(),
    })
    this.#commands = new SessionCommands(this.#publisher, () =>
      Buffer.from(world.random.bytes(16)).toString('hex'),
    )
    this.#leases = new LeaseTimer({
      world,
      machine,
      expire: (leases, done) => {
        const through = this.#replica.sequence
        this.#publisher.publish({ kind: 'expire', through, leases }, done)
      },
      tick: (done) => this.#publisher.publish({ kind: 'tick' }, done),
    })
    this.#snapshots = new SnapshotKeeper({
      world,
      log,
      machine,
      bounds: options,
      announce: (sequence) => this.#publisher.publish({ kind: 'snapshotTaken', sequence }, () => undefined),
    })
    this.#history = new HistoryKeeper({
      world,
      model: machine.model,
      bounds: options,
      isLeading: () => this.#wroteLast,
      quotaBytes: () => this.#admission.quotaBytes,
      compact: (revision, done) => this.#commands.submit({ type: 'compact', revision }, done),
    })
  }

  get model(): StoreModel {
    return this.#replica.machine.model
  }

  /** The message of the log that was applied last. */
  get sequence(): number {
    return this.#replica.sequence
  }

  get space(): StoreSpace {
    return this.#admission.space
  }

  /** Nothing will be served any more, for this reason. */
  get failure(): AlthingError | undefined {
    return this.#failure
  }

  /** What is in the way at present. */
  get trouble(): AlthingError | undefined {
    if (!this.#log.isConnected) return new AlthingError('unavailable', 'there is no connection to the log')
    return this.#replica.lastError
  }

  /** Copies agree on it at the same sequence. */
  stateHash(): StateHash & { readonly sequence: number } {
    return { sequence: this.sequence, ...this.model.stateHash() }
  }

  onFailed(handler: (error: AlthingError) => void): void {
    this.#onFailed = handler
  }

  /** `done` is called once, when the copy has all that was in the log. */
  start(done: (error: AlthingError | undefined) => void): Publication {
    this.#log.onConnected(() => this.#publisher.resume())
    this.#replica.start()
    return this.#commands.open((error) => {
      this.#isStarted = error === undefined
      done(error ?? this.#failure)
    })
  }

  /** Calls back when the copy has everything that was in the log at the call. */
  barrier(done: (error: AlthingError | undefined) => void): Publication {
    return this.#publisher.publish(undefined, (error) => done(error))
  }

  mutate(mutation: StoreMutation, done: ReplyCallback): Publication | undefined {
    const bytes = bytesOf(mutation)
    const command = { session: 0, sequence: 0, acknowledged: 0, ...mutation }
    const refusal = this.#admission.refusal(command, bytes)
    if (refusal !== undefined) {
      done(refusal, undefined)
      return undefined
    }
    this.#admission.started(bytes)
    let isUnderWay = true
    const ended = (): void => {
      if (isUnderWay) this.#admission.ended(bytes)
      isUnderWay = false
    }
    const publication = this.#commands.submit(mutation, (error, reply) => {
      ended()
      done(error, reply)
    })
    return {
      abandon: () => {
        ended()
        return publication.abandon()
      },
      get lastError() {
        return publication.lastError
      },
      get attempts() {
        return publication.attempts
      },
    }
  }

  renew(
    leases: readonly LeaseId[],
    done: (
      error: AlthingError | undefined,
      results: readonly (LeaseGrant | AlthingError)[] | undefined,
    ) => void,
  ): Publication {
    return this.#publisher.publish({ kind: 'renew', leases }, (error, results) =>
      done(error, results as readonly (LeaseGrant | AlthingError)[] | undefined),
    )
  }

  /** Makes a snapshot, and removes all that is in it from the log. Resolves with whether messages were removed. */
  makeRoom(): Promise<boolean> {
    return this.#snapshots.makeRoom()
  }

  withRemaining(status: LeaseStatus): LeaseStatus {
    return this.#leases.withRemaining(status)
  }

  endSession(done: () => void): void {
    if (this.#failure !== undefined || !this.#isStarted || this.trouble !== undefined) done()
    else if (this.#commands.close(done) === undefined) done()
  }

  close(error: AlthingError): Promise<void> {
    this.#closing ??= this.#close(error)
    return this.#closing
  }

  async #close(error: AlthingError): Promise<void> {
    this.#stop(error)
    await this.#log.close()
  }

  #stop(error: AlthingError): void {
    this.#replica.close()
    this.#leases.close()
    this.#snapshots.close()
    this.#history.stop()
    this.watches.close()
    this.#publisher.close(error)
  }

  #observer(): ReplicaObserver {
    return {
      moving: () => this.#leases.moved(),
      changed: (change) => this.#changed(change),
      renewed: (lease) => this.#leases.renewed(lease),
      applied: (message, content) => this.#applied(message, content),
      replaced: () => {
        this.#leases.restart()
        this.watches.replaced()
      },
      following: () => this.#publisher.resume(),
      failed: (error) => {
        this.#failure = error
        this.#world.logger.log('error', 'the store is of no use any more', {
          code: error.code,
          message: error.message,
        })
        this.#stop(error)
        this.#onFailed(error)
      },
    }
  }

  #changed(change: StoreChange): void {
    this.#leases.follow(change)
    this.watches.publish(change)
  }

  #applied(message: LogMessage, content: AppliedMessage | undefined): void {
    const isOwn = content?.writer === this.#publisher.writer
    this.#wroteLast = isOwn
    this.#history.look()
    this.#snapshots.applied(isOwn, message.data.byteLength)
    this.#spaceWarning.look(this.space)
    if (isOwn) this.#publisher.applied(content)
  }
}

/** About what a command takes in the log. */
function bytesOf(mutation: StoreMutation): number {
  if (mutation.type !== 'txn') return 64
  let bytes = 64
  for (const operation of [...mutation.then, ...mutation.else])
    bytes += 24 + operation.key.length + (operation.op === 'put' ? operation.value.byteLength : 0)
  return bytes
}
