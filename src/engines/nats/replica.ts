import { crc32 } from 'node:zlib'
import { AlthingError, asAlthingError } from '../../contracts/errors.ts'
import type { Timer, World } from '../../contracts/world.ts'
import { type AppliedMessage, LogMachine, type MachineObserver } from './log-machine.ts'
import { restoreMachine } from './machine-snapshot.ts'
import type { LogMessage, SharedLog, SnapshotManifest } from './shared-log.ts'

const retryMsMin = 50
const retryMsMax = 1_000
/** A message that the log says it has, and that so many readers one after the other were not given, is lost. */
const gapsMax = 3

export interface ReplicaObserver extends MachineObserver {
  /** A message is about to be applied: the log moves. */
  moving(): void
  applied(message: LogMessage, content: AppliedMessage | undefined): void
  /** The copy was replaced by the state of a snapshot. */
  replaced(): void
  /** The log is being followed, for the first time or again. */
  following(): void
  /** For good: nothing more will be applied. */
  failed(error: AlthingError): void
}

/** The message that was applied last, to know it again. */
interface LastApplied {
  readonly sequence: number
  readonly timeMs: number
  readonly checksum: number
}

/**
 * This process's copy of the store: follows the log and applies what it says. Loses its place to nothing: it reads the last message that it has applied again whenever it comes back, and
 * stands still for good (`corrupt`) when that is not what it was, or the log is another.
 *
 *     log ──▶ follow ──▶ the message after the last? ──▶ machine
 *      ▲                        │ gap
 *      └── again, by way of a snapshot where what is missing was purged
 */
export class Replica {
  readonly machine: LogMachine
  readonly #world: World
  readonly #log: SharedLog
  readonly #observer: ReplicaObserver
  #identity: string | undefined
  #last: LastApplied | undefined
  #stop: (() => void) | undefined
  #timer: Timer | undefined
  #failures = 0
  #isFollowing = false
  /** How often the message after the last did not come, though a later one did. */
  #gaps = 0
  #lastError: AlthingError | undefined
  #isOver = false

  constructor(world: World, log: SharedLog, observer: ReplicaObserver) {
    this.#world = world
    this.#log = log
    this.#observer = observer
    this.machine = new LogMachine(observer)
  }

  get sequence(): number {
    return this.machine.position.sequence
  }

  /** What is written reaches this copy now, as far as is known. */
  get isFollowing(): boolean {
    return this.#isFollowing
  }

  /** Why the log is not being followed, while it is not. */
  get lastError(): AlthingError | undefined {
    return this.#lastError
  }

  start(): void {
    void this.#catchUp()
  }

  close(): void {
    this.#isOver = true
    this.#unfollow()
    this.#timer?.cancel()
  }

  /**
   * The log has given a message that is new the place `sequence`, when this copy had already applied as many: so the log has lost some that it had acknowledged. What this copy holds is no
   * longer what the others will see.
   */
  wentBack(sequence: number): void {
    this.fail(
      new AlthingError(
        'corrupt',
        `the log has gone back to message ${sequence}, though message ${this.sequence} had been read: the server has lost what it had acknowledged. Open the store anew to go on with what is left`,
        { details: { sequence, applied: this.sequence } },
      ),
    )
  }

  fail(error: AlthingError): void {
    if (this.#isOver) return
    this.close()
    this.#observer.failed(error)
  }

  async #catchUp(): Promise<void> {
    try {
      const { identity, first } = await this.#log.state()
      if (this.#isOver) return
      this.#recognise(identity)
      if (first > this.sequence + 1) await this.#load(first)
      if (!this.#isOver) this.#follow(first)
    } catch (error) {
      this.#again(asAlthingError(error))
    }
  }

  #recognise(identity: string): void {
    this.#identity ??= identity
    if (identity === this.#identity) return
    throw new AlthingError(
      'corrupt',
      `the log is another (${identity}) than was read before (${this.#identity}): it was removed and made anew. Open the store anew to go on with that`,
      { details: { identity, before: this.#identity } },
    )
  }

  /** The messages up to `first` were purged: a snapshot holds what they said. */
  async #load(first: number): Promise<void> {
    const manifests = await this.#log.snapshots()
    const manifest = manifests.find(({ sequence }) => sequence > this.sequence && sequence + 1 >= first)
    if (manifest === undefined) {
      throw new AlthingError(
        'unavailable',
        `the log begins with message ${first}, and no snapshot reaches up to it`,
        { details: { first } },
      )
    }
    await this.#restore(manifest)
  }

  async #restore(manifest: SnapshotManifest): Promise<void> {
    const revisionBefore = this.machine.model.revision
    await restoreMachine(this.#world, this.machine, manifest, this.#log.readSnapshot(manifest))
    this.#last = undefined
    this.#gaps = 0
    if (this.machine.model.revision < revisionBefore) this.wentBack(manifest.sequence)
    if (!this.#isOver) this.#observer.replaced()
  }

  /** From the last message that was applied, which is to be what it was, where the log has it still. */
  #follow(first: number): void {
    const last = this.#last
    const from = last !== undefined && first <= last.sequence ? last.sequence : this.sequence + 1
    let stopped = false
    const stop = this.#log.follow(from, {
      following: () => {
        if (stopped || this.#isOver) return
        this.#lastError = undefined
        this.#isFollowing = true
        this.#observer.following()
      },
      message: (message) => {
        if (!stopped && !this.#isOver) this.#take(message)
      },
      ended: (error) => {
        if (stopped) return
        stopped = true
        this.#stop = undefined
        this.#isFollowing = false
        this.#again(error)
      },
    })
    this.#stop = () => {
      stopped = true
      stop()
    }
  }

  #take(message: LogMessage): void {
    const { sequence } = this
    if (message.sequence > sequence + 1) {
      this.#again(this.#missing(sequence + 1))
      return
    }
    if (message.sequence === sequence + 1) this.#apply(message)
    else if (message.sequence === this.#last?.sequence) this.#compare(message, this.#last)
  }

  /** It was purged (then a snapshot has what it said), was lost on the way (then it comes the next time), or the log has lost it. */
  #missing(sequence: number): AlthingError {
    this.#gaps++
    if (this.#gaps <= gapsMax)
      return new AlthingError('unavailable', `message ${sequence} of the log did not come`)
    return new AlthingError(
      'corrupt',
      `the log has lost message ${sequence}, and goes on after it: what it said is not known`,
      { details: { sequence } },
    )
  }

  #compare(message: LogMessage, last: LastApplied): void {
    if (message.timeMs === last.timeMs && crc32(message.data) === last.checksum) return
    this.fail(
      new AlthingError(
        'corrupt',
        `message ${last.sequence} of the log is not what it was when it was read: the server has lost what it had acknowledged. Open the store anew to go on with what is left`,
        { details: { sequence: last.sequence } },
      ),
    )
  }

  #apply(message: LogMessage): void {
    this.#failures = 0
    this.#gaps = 0
    const { sequence, timeMs, data } = message
    this.#observer.moving()
    let content: AppliedMessage | undefined
    try {
      content = this.machine.apply(message)
    } catch (error) {
      this.fail(asAlthingError(error))
      return
    }
    this.#last = { sequence, timeMs, checksum: crc32(data) }
    this.#observer.applied(message, content)
  }

  #again(error: AlthingError): void {
    if (this.#isOver) return
    this.#unfollow()
    this.#lastError = error
    if (error.code === 'corrupt' || error.code === 'incompatible-peer') {
      this.fail(error)
      return
    }
    this.#timer?.cancel()
    const waitMs = Math.min(retryMsMax, retryMsMin * 2 ** this.#failures++)
    this.#timer = this.#world.timers.after(waitMs * (0.5 + this.#world.random.float()), () => {
      if (!this.#isOver) void this.#catchUp()
    })
  }

  #unfollow(): void {
    this.#isFollowing = false
    this.#stop?.()
    this.#stop = undefined
  }
}
