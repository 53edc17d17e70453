import { asAlthingError } from '../../contracts/errors.ts'
import type { World } from '../../contracts/world.ts'
import type { LogMachine } from './log-machine.ts'
import { freezeMachine, snapshotFormat } from './machine-snapshot.ts'
import type { SharedLog } from './shared-log.ts'

export interface SnapshotBounds {
  /** Messages of the log after which a snapshot is made and what it holds is purged (default 10,000). */
  readonly snapshotMessages: number
  /** And bytes (default 64 MiB). */
  readonly snapshotBytes: number
}

export const snapshotBounds: SnapshotBounds = { snapshotMessages: 10_000, snapshotBytes: 64 * 1024 * 1024 }

/** Messages that are kept though a snapshot holds them: whoever is a little behind needs no snapshot. */
const keptMessages = 1_000
const idBytes = 8

export interface SnapshotKeeperOptions {
  readonly world: World
  readonly log: SharedLog
  readonly machine: LogMachine
  readonly bounds: Partial<SnapshotBounds>
  /** Tells all others, through the log. */
  announce(sequence: number): void
}

/**
 * Keeps the log short. Who has written the message at which the log is too long makes the snapshot; where that process dies, the next does that comes past another quarter of the bound. Several at
 * the same time do no harm: one snapshot becomes the newest, and only what it holds is purged.
 */
export class SnapshotKeeper {
  readonly #options: SnapshotKeeperOptions
  readonly #bounds: SnapshotBounds
  #running: Promise<boolean> | undefined
  #isClosed = false

  constructor(options: SnapshotKeeperOptions) {
    this.#options = options
    this.#bounds = { ...snapshotBounds, ...options.bounds }
  }

  /** To be called after each message, which this process has written or not. */
  applied(isOwn: boolean, messageBytes: number): void {
    if (!isOwn || this.#running !== undefined || this.#isClosed) return
    const { sequence, snapshotSequence, bytesSinceSnapshot } = this.#options.machine.position
    const { snapshotMessages, snapshotBytes } = this.#bounds
    const messages = sequence - snapshotSequence
    const isDue =
      crosses(messages - 1, messages, snapshotMessages) ||
      crosses(bytesSinceSnapshot - messageBytes, bytesSinceSnapshot, snapshotBytes)
    if (isDue) void this.#run(keptMessages)
  }

  /** The log is full. Resolves with whether messages were removed. */
  makeRoom(): Promise<boolean> {
    return this.#run(0)
  }

  close(): void {
    this.#isClosed = true
  }

  #run(kept: number): Promise<boolean> {
    if (this.#running !== undefined && kept > 0) return this.#running
    const before = this.#running ?? Promise.resolve(false)
    const running: Promise<boolean> = before
      .then(() => this.#save(kept))
      .catch((error: unknown) => {
        const { code, message } = asAlthingError(error)
        this.#options.world.logger.log('warn', 'a snapshot of the store could not be made', { code, message })
        return false
      })
      .finally(() => {
        if (this.#running === running) this.#running = undefined
      })
    this.#running = running
    return running
  }

  async #save(kept: number): Promise<boolean> {
    if (this.#isClosed) return false
    const { world, log, machine, announce } = this.#options
    const { first } = await log.state()
    const newest = (await log.snapshots())[0]?.sequence ?? 0
    let { sequence } = machine.position
    if (sequence > newest) {
      const { position, state, chunks } = freezeMachine(machine)
      sequence = position.sequence
      const id = Buffer.from(world.random.bytes(idBytes)).toString('hex')
      const { hash, sessionsHash } = state
      const isNewest = await log.saveSnapshot(
        { format: snapshotFormat, id, sequence, hash, sessionsHash },
        chunks,
      )
      if (!isNewest || this.#isClosed) return false
      announce(sequence)
    } else sequence = newest
    const upTo = sequence - kept
    if (upTo < first) return false
    await log.purge(upTo)
    return true
  }
}

/** Whether one of the thresholds lies between: the bound, and every quarter of it from there on. */
function crosses(before: number, after: number, bound: number): boolean {
  if (after < bound) return false
  const quarter = bound / 4
  return before < bound || Math.floor((before - bound) / quarter) < Math.floor((after - bound) / quarter)
}
