import { DiskFaults } from './disk-faults.ts'
import type { FaultClass } from './fault-classes.ts'
import type { FaultInjector } from './fault-injector.ts'
import type { FaultRate } from './fault-plan.ts'
import type { LinkConditions } from './network-links.ts'
import type { CrashKind } from './simulated-process.ts'

/** Injects one fault; false when there was nothing that it could harm within the rule. */
export type FaultAction = (rate: FaultRate) => boolean

/** What each class of faults does. */
export function createFaultActions(injector: FaultInjector): Readonly<Record<FaultClass, FaultAction>> {
  const network = new NetworkFaults(injector)
  const machine = new MachineFaults(injector)
  const disk = new DiskFaults(injector)
  return {
    delay: (rate) => network.impairSome('delay', rate, { delayMsMean: 1 + 100 * rate.severity }),
    loss: (rate) => network.impairSome('loss', rate, { lossRate: 0.01 + 0.3 * rate.severity }),
    duplicate: (rate) =>
      network.impairSome('duplicate', rate, { duplicateRate: 0.05 + 0.45 * rate.severity }),
    reorder: (rate) => network.impairSome('reorder', rate, { reorderRate: 0.05 + 0.45 * rate.severity }),
    'slow-link': (rate) =>
      network.impairSome('slow-link', rate, { bytesPerMs: 1 + 500 * (1 - rate.severity) }),
    partition: (rate) => network.partition(rate),
    'one-way': (rate) => network.oneWay(rate),
    break: () => network.breakSome(),
    crash: (rate) => machine.crash(rate),
    restart: () => machine.restart(),
    pause: (rate) => machine.pause(rate),
    'block-loop': (rate) => machine.blockLoop(rate),
    'clock-drift': (rate) => machine.drift(rate),
    'clock-step': (rate) => machine.stepClock(rate),
    'torn-write': (rate) => disk.crashInSync('torn-write', 'torn', rate),
    'lost-write': (rate) => disk.crashInSync('lost-write', 'lost', rate),
    'write-error': (rate) => disk.failNext('write-error', 'write', rate),
    'sync-error': (rate) => disk.failNext('sync-error', 'sync', rate),
    'read-error': (rate) => disk.failReads(rate),
    'disk-full': (rate) => disk.fill(rate),
    'bit-flip': () => disk.flipBit(),
    'misdirected-write': () => disk.misdirect(),
    'slow-disk': (rate) => disk.slow('slow-disk', rate, Math.ceil(2 + 500 * rate.severity)),
    'disk-stall': (rate) => disk.slow('disk-stall', rate, Math.ceil(5_000 + 35_000 * rate.severity)),
  }
}

class NetworkFaults {
  readonly #injector: FaultInjector

  constructor(injector: FaultInjector) {
    this.#injector = injector
  }

  /** Worsens all links, or those of one host: to it, from it, or both. */
  impairSome(name: FaultClass, rate: FaultRate, conditions: Partial<LinkConditions>): boolean {
    const { random, hosts, simulation } = this.#injector
    const host = random.chance(0.5) ? undefined : random.pick(hosts)
    const way = host === undefined ? 'all' : random.pick(['both', 'from', 'to'])
    const isAny = (): boolean => true
    const isHost = (other: string): boolean => other === host
    const undos: (() => void)[] = []
    if (way === 'all') undos.push(simulation.network.impair({ from: isAny, to: isAny, conditions }))
    if (way === 'both' || way === 'from')
      undos.push(simulation.network.impair({ from: isHost, to: isAny, conditions }))
    if (way === 'both' || way === 'to')
      undos.push(simulation.network.impair({ from: isAny, to: isHost, conditions }))
    this.#injector.note(name, `${way} ${host ?? ''}`, JSON.stringify(conditions))
    this.#injector.undoLater(rate, () => {
      for (const undo of undos) undo()
    })
    return true
  }

  /** Isolates one host, or splits them in two at random. */
  partition(rate: FaultRate): boolean {
    const [group, others] = this.#split()
    if (group.length === 0 || others.length === 0) return false
    this.#injector.note('partition', group.join(','), `from ${others.join(',')}`)
    this.#injector.undoLater(rate, this.#injector.simulation.network.partition(group, others))
    return true
  }

  oneWay(rate: FaultRate): boolean {
    const [group, others] = this.#split()
    if (group.length === 0 || others.length === 0) return false
    const [from, to] = this.#injector.random.chance(0.5) ? [group, others] : [others, group]
    this.#injector.note('one-way', from.join(','), `to ${to.join(',')}`)
    this.#injector.undoLater(rate, this.#injector.simulation.network.blockOneWay(from, to))
    return true
  }

  breakSome(): boolean {
    const { random, hosts, simulation } = this.#injector
    const [a, b] = random.shuffle(hosts)
    if (a === undefined) return false
    const other = random.chance(0.5) ? undefined : b
    const brokenCount = simulation.network.breakConnections(a, other)
    if (brokenCount > 0) this.#injector.note('break', a, `${brokenCount} connections to ${other ?? 'all'}`)
    return brokenCount > 0
  }

  #split(): [string[], string[]] {
    const { random } = this.#injector
    const hosts = random.shuffle([...new Set(this.#injector.hosts)])
    if (hosts.length < 2) return [[], []]
    const size = random.chance(0.5) ? 1 : random.integer(1, hosts.length - 1)
    return [hosts.slice(0, size), hosts.slice(size)]
  }
}

class MachineFaults {
  readonly #injector: FaultInjector

  constructor(injector: FaultInjector) {
    this.#injector = injector
  }

  crash(rate: FaultRate): boolean {
    const process = this.#injector.pickToStop()
    if (process === undefined) return false
    const kind = this.#injector.random.pick<CrashKind>(['power', 'kill'])
    this.#injector.note('crash', process.name, kind)
    process.crash(kind)
    this.#injector.undoLater(rate, () => this.#injector.revive(process))
    return true
  }

  restart(): boolean {
    const process = this.#injector.pickToStop()
    if (process === undefined) return false
    const kind = this.#injector.random.pick<CrashKind>(['power', 'kill'])
    this.#injector.note('restart', process.name, kind)
    process.restart(kind)
    return true
  }

  pause(rate: FaultRate): boolean {
    const process = this.#injector.pickRunning()
    if (process === undefined || process.isPaused) return false
    this.#injector.note('pause', process.name, '')
    process.pause()
    this.#injector.undoLater(rate, () => process.resume())
    return true
  }

  blockLoop(rate: FaultRate): boolean {
    const process = this.#injector.pickRunning()
    if (process === undefined) return false
    const durationMs = this.#injector.drawDurationMs(rate)
    this.#injector.note('block-loop', process.name, `${durationMs} ms`)
    this.#injector.atHeal(process.blockLoop(durationMs), durationMs)
    return true
  }

  /** Up to one percent: a hundred times what quartz does, and what a badly calibrated virtual machine may do. */
  drift(rate: FaultRate): boolean {
    const process = this.#injector.random.pick(this.#injector.options.processes)
    const clockRate = 1 + this.#injector.random.between(-0.01, 0.01) * Math.max(0.1, rate.severity)
    this.#injector.note('clock-drift', process.name, clockRate.toFixed(6))
    process.clock.setRate(clockRate)
    this.#injector.undoLater(rate, () => process.clock.setRate(1))
    return true
  }

  stepClock(rate: FaultRate): boolean {
    const process = this.#injector.random.pick(this.#injector.options.processes)
    const reachMs = Math.ceil(10 + 600_000 * rate.severity)
    const byMs = this.#injector.random.integer(-reachMs, reachMs)
    this.#injector.note('clock-step', process.name, `${byMs} ms`)
    process.clock.stepWall(byMs)
    return true
  }
}
