import { assert } from '../../base/assert.ts'
import { type CrashRule, FileContent, sectorBytes } from './file-content.ts'
import { FileNames } from './file-names.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { SimulatedLoop } from './simulated-loop.ts'
import type { ScheduledEvent } from './event-heap.ts'
import type { Simulation } from './simulation.ts'
import { diskError } from './disk-error.ts'

/** The operations of a disk, as far as faults and latencies tell them apart. */
export type DiskOperation = 'read' | 'write' | 'sync' | 'names'

/** What the disk does of itself, until told otherwise: to be changed at any time. */
export interface DiskConditions {
  /** For what was not synced when the power goes. Default `'lost'`. */
  crashRule: CrashRule
  /** Probabilities with which a write, or a sync, fails with EIO. Default 0. */
  writeErrorRate: number
  syncErrorRate: number
  /** No file can grow and no name can be made: ENOSPC. Default false. */
  isFull: boolean
  /** Bytes of all files together past which the disk is full. Default unlimited. */
  capacityBytes: number
  /** All latencies are multiplied by it. Default 1. */
  slowness: number
}

/** Where something was damaged for good. */
export interface Damage {
  readonly path: string
  readonly byteOffset: number
}

/** One damaged bit. */
export interface BitFlip extends Damage {
  readonly bit: number
}

/** Sectors that were overwritten with what belongs elsewhere. */
export interface Misdirection extends Damage {
  readonly sectorCount: number
  readonly fromPath: string
  readonly fromOffset: number
}

interface PendingOperation {
  readonly loop: SimulatedLoop
  /** Carries out what may have been reached when the process ends before the operation does. */
  readonly interrupt: ((random: SeededRandom) => void) | undefined
  /** When the disk will have come to it. */
  end: ScheduledEvent | undefined
}

export interface Submission<T> {
  readonly operation: DiskOperation
  readonly byteCount: number
  readonly path: string
  /** Done when the disk has come to it: at the end of the latency, whether or not the process is paused. */
  readonly effect: () => T
  /** What a process that ends meanwhile leaves behind. Default nothing. */
  readonly interrupt?: (random: SeededRandom) => void
}

interface OrderedFailure {
  /** Operations that go well before. */
  sparedCount: number
  leftCount: number
  readonly onFailure: () => void
}

const latenciesUs: Readonly<Record<DiskOperation, readonly [min: number, mean: number]>> = {
  read: [20, 40],
  write: [10, 20],
  sync: [80, 120],
  names: [10, 20],
}
const bytesPerUs = 500
/** An operation that is under way when the disk is well again ends within this. */
const healedUs = 1_000

/** The disk of one machine. Outlives its processes; forgets on a loss of power what was not synced. */
export class SimulatedDisk {
  readonly name: string
  readonly names = new FileNames()
  readonly conditions: DiskConditions = {
    crashRule: 'lost',
    writeErrorRate: 0,
    syncErrorRate: 0,
    isFull: false,
    capacityBytes: Number.POSITIVE_INFINITY,
    slowness: 1,
  }
  readonly #simulation: Simulation
  readonly #random: SeededRandom
  readonly #pending = new Set<PendingOperation>()
  readonly #locks = new Map<string, string>()
  readonly #failNext = new Map<DiskOperation, OrderedFailure>()
  #syncStarted: ((latencyUs: number) => void) | undefined

  constructor(simulation: Simulation, name: string) {
    this.name = name
    this.#simulation = simulation
    this.#random = simulation.random(`disk/${name}`)
  }

  get hasUnsynced(): boolean {
    return this.names.hasUnsynced || this.names.files().some(([, file]) => file.hasUnsynced)
  }

  get usedBytes(): number {
    return this.names.files().reduce((sum, [, file]) => sum + file.size, 0)
  }

  /** `undefined` while the disk is without end. */
  get freeBytes(): number | undefined {
    const { isFull, capacityBytes } = this.conditions
    if (isFull) return 0
    return Number.isFinite(capacityBytes) ? Math.max(0, capacityBytes - this.usedBytes) : undefined
  }

  /** Performs an operation for a loop after its latency; rejects with what `effect` throws, or with an injected failure. */
  submit<T>(loop: SimulatedLoop, submission: Submission<T>): Promise<T> {
    if (loop.isEnded) return new Promise(() => {})
    const pending: PendingOperation = { loop, interrupt: submission.interrupt, end: undefined }
    this.#pending.add(pending)
    loop.ref()
    const latencyUs = this.#latencyUs(submission)
    if (submission.operation === 'sync') this.#announceSync(latencyUs)
    return new Promise((resolve, reject) => {
      pending.end = this.#simulation.schedule(latencyUs, () => {
        if (!this.#pending.delete(pending)) return
        const settle = this.#outcome(submission.effect, resolve, reject)
        loop.dispatch(submission.operation, pending, submission.path, () => {
          loop.unref()
          settle()
        })
      })
    })
  }

  /** Ends the operations of a loop that has ended. */
  abandon(loop: SimulatedLoop): void {
    for (const operation of [...this.#pending]) {
      if (operation.loop !== loop) continue
      this.#pending.delete(operation)
      operation.interrupt?.(this.#random)
    }
  }

  /** Draws whether an operation fails; consumes what {@link SimulatedDisk.failNext} ordered. */
  drawFailure(operation: 'read' | 'write' | 'sync'): boolean {
    const ordered = this.#orderedFailure(operation)
    const { writeErrorRate, syncErrorRate } = this.conditions
    const rate = operation === 'read' ? 0 : operation === 'write' ? writeErrorRate : syncErrorRate
    const isFailing = ordered !== undefined || this.#random.chance(rate)
    if (ordered !== undefined) {
      ordered.leftCount--
      if (ordered.leftCount === 0) this.#failNext.delete(operation)
      ordered.onFailure()
    }
    if (isFailing) this.#simulation.record('disk-error', this.name, operation)
    return isFailing
  }

  /** The next `count` operations of that kind fail with EIO, once `spared` more have gone well; `onFailure` is called when one does. */
  failNext(
    operation: 'read' | 'write' | 'sync',
    count = 1,
    onFailure: () => void = () => {},
    spared = 0,
  ): void {
    this.#failNext.set(operation, { sparedCount: spared, leftCount: count, onFailure })
  }

  /** Calls `handler` when the next sync begins, with the time it will take: a moment at which a crash hurts. `undefined` takes it back. */
  onNextSync(handler: ((latencyUs: number) => void) | undefined): void {
    this.#syncStarted = handler
  }

  /** Whether `growth` more bytes (or one more name) find room. */
  hasRoom(growth: number): boolean {
    const { isFull, capacityBytes } = this.conditions
    if (isFull) return false
    return capacityBytes === Number.POSITIVE_INFINITY || this.usedBytes + growth <= capacityBytes
  }

  /** The share of an interrupted or failed write that is done all the same. */
  drawPart(byteCount: number): number {
    return this.#random.integer(0, byteCount)
  }

  get random(): SeededRandom {
    return this.#random
  }

  /** Applies the crash rule to all that is not synced. Returns what was lost. */
  losePower(): { readonly sectors: number; readonly names: number } {
    const rule = this.conditions.crashRule
    // Names first: a file that was removed or replaced may come back, and its content is then judged too.
    const names = this.names.losePower(rule, this.#random)
    let sectors = 0
    for (const [, file] of this.names.files()) sectors += file.losePower(rule, this.#random)
    this.#simulation.record('power-loss', this.name, `${rule}: lost ${sectors} sectors, ${names} names`)
    return { sectors, names }
  }

  /** Takes possession of a folder; returns the present holder when there is one, and otherwise `undefined`. */
  takeLock(folder: string, holder: string): string | undefined {
    const present = this.#locks.get(folder)
    if (present === undefined) this.#locks.set(folder, holder)
    return present
  }

  freeLock(folder: string): void {
    this.#locks.delete(folder)
  }

  /** Damages one bit of a file, for good. */
  flipBit(path: string, byteOffset: number, bit: number): BitFlip {
    const file = this.names.get(path)
    assert(file instanceof FileContent && byteOffset < file.size && bit >= 0 && bit < 8, 'no such bit', {
      path,
      byteOffset,
      bit,
    })
    file.flipBit(byteOffset, bit)
    this.#simulation.record('bit-flip', this.name, `${path} byte ${byteOffset} bit ${bit}`)
    return { path, byteOffset, bit }
  }

  /** Damages a bit of a seeded choice among the files that `isEligible` allows; `undefined` when they hold no byte. */
  flipRandomBit(isEligible: (path: string) => boolean = () => true): BitFlip | undefined {
    const files = this.names.files().filter(([path, file]) => file.size > 0 && isEligible(path))
    if (files.length === 0) return undefined
    const [path, file] = this.#random.pick(files)
    return this.flipBit(path, this.#random.integer(0, file.size - 1), this.#random.integer(0, 7))
  }

  /**
   * Writes sectors that hold something over other ones, of any files that `isEligible` allows, for good: where firmware has put a write into the wrong place (Bairavasundaram
   * et al., FAST 2008). `undefined` when there is nothing to be written over.
   */
  misdirectRandomSectors(isEligible: (path: string) => boolean = () => true): Misdirection | undefined {
    const files = this.names.files().filter(([path, file]) => file.size >= sectorBytes && isEligible(path))
    if (files.length === 0) return undefined
    const [fromPath, from] = this.#random.pick(files)
    const [path, to] = this.#random.pick(files)
    const sectorOf = (file: FileContent): number =>
      this.#random.integer(0, Math.floor(file.size / sectorBytes) - 1) * sectorBytes
    const fromOffset = sectorOf(from)
    const byteOffset = sectorOf(to)
    const sectorCount = this.#random.integer(1, 8)
    if (!to.overwriteFrom(byteOffset, from, fromOffset, sectorCount)) return undefined
    this.#simulation.record('misdirected', this.name, `${fromPath} ${fromOffset} to ${path} ${byteOffset}`)
    return { path, byteOffset, sectorCount, fromPath, fromOffset }
  }

  /** A new, empty disk in place of the old one. */
  wipe(): void {
    this.names.clear()
    this.#simulation.record('wipe', this.name, '')
  }

  /** Ends all faults; what they have done to the content stays. */
  heal(): void {
    Object.assign(this.conditions, { writeErrorRate: 0, syncErrorRate: 0, isFull: false, slowness: 1 })
    this.conditions.capacityBytes = Number.POSITIVE_INFINITY
    this.#failNext.clear()
    this.#syncStarted = undefined
    for (const operation of this.#pending) this.#hurry(operation)
  }

  /** What a slow disk was asked for does not take as long as it would have. */
  #hurry(operation: PendingOperation): void {
    const { end } = operation
    const action = end?.action
    if (end === undefined || action === undefined || end.atUs <= this.#simulation.nowUs + healedUs) return
    end.action = undefined
    operation.end = this.#simulation.schedule(healedUs, action)
  }

  #orderedFailure(operation: DiskOperation): OrderedFailure | undefined {
    const ordered = this.#failNext.get(operation)
    if (ordered === undefined || ordered.sparedCount === 0) return ordered
    ordered.sparedCount--
    return undefined
  }

  #latencyUs(submission: { readonly operation: DiskOperation; readonly byteCount: number }): number {
    const [min, mean] = latenciesUs[submission.operation]
    const transferUs = submission.byteCount / bytesPerUs
    return Math.ceil((min + this.#random.exponential(mean) + transferUs) * this.conditions.slowness)
  }

  #announceSync(latencyUs: number): void {
    const handler = this.#syncStarted
    this.#syncStarted = undefined
    handler?.(latencyUs)
  }

  #outcome<T>(effect: () => T, resolve: (value: T) => void, reject: (reason: unknown) => void): () => void {
    try {
      const value = effect()
      return () => resolve(value)
    } catch (error) {
      return () => reject(error)
    }
  }

  /** The error of an operation that the disk refused. */
  failure(code: 'EIO' | 'ENOSPC', operation: string, path: string): Error {
    return diskError(code, operation, `${this.name}:${path}`)
  }
}
