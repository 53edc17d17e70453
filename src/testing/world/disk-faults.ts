import type { FaultClass } from './fault-classes.ts'
import type { FaultInjector } from './fault-injector.ts'
import type { FaultRate } from './fault-plan.ts'
import type { CrashRule } from './file-content.ts'
import type { Damage } from './simulated-disk.ts'
import type { SimulatedProcess } from './simulated-process.ts'

/** What goes wrong with the disks. */
export class DiskFaults {
  readonly #injector: FaultInjector

  constructor(injector: FaultInjector) {
    this.#injector = injector
  }

  /** Cuts the power while the next sync is under way: then there is something that is not synced. */
  crashInSync(name: FaultClass, crashRule: CrashRule, rate: FaultRate): boolean {
    const process = this.#injector.pickToStop()
    if (process === undefined) return false
    const { random } = this.#injector
    process.disk.onNextSync((latencyUs) => {
      const startCount = process.startCount
      this.#injector.soon(random.between(0, latencyUs) / 1000, () => {
        if (process.isRunning && process.startCount === startCount)
          this.#cutPower(name, process, crashRule, rate)
      })
    })
    this.#injector.undoLater(rate, () => process.disk.onNextSync(undefined))
    return true
  }

  failNext(name: FaultClass, operation: 'write' | 'sync', rate: FaultRate): boolean {
    const process = this.#injector.pickToStop()
    if (process === undefined) return false
    process.disk.failNext(operation, 1, () => {
      this.#injector.note(name, process.name, operation)
      this.#injector.undoLater(rate, () => this.#supervise(process))
    })
    return true
  }

  /** The process starts anew, and one of the first reads fails: of what it then does not know it must not think that it is not there. */
  failReads(rate: FaultRate): boolean {
    const process = this.#injector.pickToStop()
    if (process === undefined) return false
    const { random } = this.#injector
    process.restart('kill')
    process.disk.failNext(
      'read',
      1,
      () => {
        this.#injector.note('read-error', process.name, '')
        this.#injector.undoLater(rate, () => this.#injector.revive(process))
      },
      random.integer(0, 4),
    )
    return true
  }

  /** No room, or hardly any, for a while. Who bears it goes on; who has stopped for it is started once there is room again. */
  fill(rate: FaultRate): boolean {
    const process = this.#injector.pickToStop()
    if (process === undefined) return false
    const { disk } = process
    if (disk.conditions.isFull || Number.isFinite(disk.conditions.capacityBytes)) return false
    const { random } = this.#injector
    const headroomBytes = random.pick([0, 2_000, 20_000])
    this.#injector.note('disk-full', process.name, `${headroomBytes} bytes left`)
    if (headroomBytes === 0) disk.conditions.isFull = true
    else disk.conditions.capacityBytes = disk.usedBytes + headroomBytes
    this.#injector.undoLater(rate, () => {
      disk.conditions.isFull = false
      disk.conditions.capacityBytes = Number.POSITIVE_INFINITY
      this.#injector.revive(process)
    })
    return true
  }

  flipBit(): boolean {
    return this.#damage('bit-flip', (process) => {
      const flip = process.disk.flipRandomBit(this.#injector.options.mayFlip)
      return flip && { damage: flip, detail: `${flip.path} byte ${flip.byteOffset} bit ${flip.bit}` }
    })
  }

  /** What was written to one place comes to stand at another too, over what was there. */
  misdirect(): boolean {
    return this.#damage('misdirected-write', (process) => {
      const copy = process.disk.misdirectRandomSectors(this.#injector.options.mayFlip)
      const { path, byteOffset, sectorCount, fromPath, fromOffset } = copy ?? {}
      const detail = `${path} byte ${byteOffset}: ${sectorCount} sectors of ${fromPath} byte ${fromOffset}`
      return copy && { damage: copy, detail }
    })
  }

  /** Beyond 5,000 times each write takes seconds. */
  slow(name: 'slow-disk' | 'disk-stall', rate: FaultRate, slowness: number): boolean {
    const process = this.#injector.random.pick(this.#injector.options.processes)
    if (process.disk.conditions.slowness > 1) return false
    this.#injector.note(name, process.name, `${slowness} times`)
    process.disk.conditions.slowness = slowness
    this.#injector.undoLater(rate, () => {
      process.disk.conditions.slowness = 1
    })
    return true
  }

  #damage(
    name: FaultClass,
    harm: (process: SimulatedProcess) => { damage: Damage; detail: string } | undefined,
  ): boolean {
    const process = this.#injector.pickToDamage()
    if (process === undefined) return false
    process.crash('power')
    const harmed = harm(process)
    if (harmed === undefined) {
      this.#injector.revive(process)
      return false
    }
    this.#injector.note(name, process.name, harmed.detail)
    this.#injector.markDamaged(process, harmed.damage)
    return true
  }

  #cutPower(name: FaultClass, process: SimulatedProcess, crashRule: CrashRule, rate: FaultRate): void {
    const { conditions } = process.disk
    const ruleBefore = conditions.crashRule
    conditions.crashRule = crashRule
    this.#injector.note(name, process.name, '')
    process.crash('power')
    conditions.crashRule = ruleBefore
    this.#injector.undoLater(rate, () => this.#injector.revive(process))
  }

  /** A node whose disk failed is of no use until it starts anew: the supervisor sees to that, whether or not it has ended by itself. */
  #supervise(process: SimulatedProcess): void {
    process.crash('kill')
    this.#injector.revive(process)
  }
}
