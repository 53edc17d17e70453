import type { SimulatedDatagramSocket } from './datagram-port.ts'
import { NetworkLinks, type LinkConditions, type NetworkRule } from './network-links.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { Carrier, SimulatedConnection } from './simulated-connection.ts'
import type { SimulatedLoop } from './simulated-loop.ts'
import type { Simulation } from './simulation.ts'

/** Ends one fault of the network. Idempotent. */
export type Undo = () => void

/** One listening address. */
export interface ListeningSocket {
  readonly loop: SimulatedLoop
  /** Hands over an incoming connection; false when too many wait to be accepted. */
  accept(connection: SimulatedConnection): boolean
}

interface GiveUpTimer {
  cancel: () => void
}

/**
 * All machines' network. A partition does not close connections: what a stream has under way waits, and each end gives up by itself after
 * a time of its own between `giveUpMsMin` and `giveUpMsMax`, unless the links are open again before.
 */
export class SimulatedNetwork implements Carrier {
  readonly links = new NetworkLinks()
  readonly random: SeededRandom
  /** Bounds of the time after which one end of a cut connection gives up. Defaults 8 and 20 seconds. */
  giveUpMsMin = 8_000
  giveUpMsMax = 20_000
  readonly #simulation: Simulation
  readonly #connections = new Set<SimulatedConnection>()
  readonly #giveUps = new Map<SimulatedConnection, GiveUpTimer>()
  readonly #sockets = new Map<string, ListeningSocket>()
  readonly #datagramSockets = new Map<string, SimulatedDatagramSocket>()
  readonly #darkHosts = new Set<string>()
  readonly #refusingHosts = new Map<string, number>()
  readonly #freePorts = new Map<string, number>()

  constructor(simulation: Simulation) {
    this.#simulation = simulation
    this.random = simulation.random('network')
  }

  /** Connections with at least one open end, counted once. */
  get connectionCount(): number {
    return this.#connections.size / 2
  }

  link(from: string, to: string): LinkConditions {
    return this.links.get(from, to)
  }

  /** Changes the conditions of all links between different machines, until changed again. */
  setBase(conditions: Partial<LinkConditions>): void {
    this.links.setBase(conditions)
  }

  /** Puts a rule in force until undone. */
  impair(rule: NetworkRule): Undo {
    this.links.add(rule)
    this.#linksChanged()
    return () => {
      if (this.links.remove(rule)) this.#linksChanged()
    }
  }

  /** Nothing passes between the two groups, in either direction. */
  partition(group: readonly string[], others: readonly string[]): Undo {
    const undoThere = this.blockOneWay(group, others)
    const undoBack = this.blockOneWay(others, group)
    return () => {
      undoThere()
      undoBack()
    }
  }

  /** Nothing passes from the one group to the other; the way back stays open. */
  blockOneWay(from: readonly string[], to: readonly string[]): Undo {
    const conditions = { isBlocked: true }
    return this.impair({ from: (host) => from.includes(host), to: (host) => to.includes(host), conditions })
  }

  /** Cuts one machine off from all others. */
  isolate(host: string): Undo {
    const conditions = { isBlocked: true }
    const undoOut = this.impair({ from: (name) => name === host, to: () => true, conditions })
    const undoIn = this.impair({ from: () => true, to: (name) => name === host, conditions })
    return () => {
      undoOut()
      undoIn()
    }
  }

  /** The machine answers every attempt to connect with a refusal; what is connected stays. */
  refuseConnections(host: string): Undo {
    this.#refusingHosts.set(host, (this.#refusingHosts.get(host) ?? 0) + 1)
    let isUndone = false
    return () => {
      if (!isUndone) this.#refusingHosts.set(host, (this.#refusingHosts.get(host) ?? 1) - 1)
      isUndone = true
    }
  }

  /**
   * Breaks all connections between two machines (of one machine, when `b` is absent): the tail of what is under way is
   * lost, and each end learns of it at its own time, up to `learnMsMax` later. Returns how many broke.
   */
  breakConnections(a: string, b?: string, learnMsMax = 1_000): number {
    let endCount = 0
    for (const side of [...this.#connections]) {
      if (side.isClosed || !joins(side, a, b)) continue
      endCount++
      const arrivedUs = side.peer?.sever() ?? 0
      const leastUs = Math.max(0, arrivedUs - this.#simulation.nowUs)
      side.learnBroken(leastUs + this.random.integer(0, Math.ceil(learnMsMax * 1000)), 'broken')
    }
    return Math.ceil(endCount / 2)
  }

  /** Ends every impairment. The base conditions stay as they were set. */
  heal(): void {
    this.links.removeAll()
    this.#refusingHosts.clear()
    this.#linksChanged()
  }

  /** A connection of two ends is set up. */
  add(client: SimulatedConnection, server: SimulatedConnection): void {
    this.#connections.add(client)
    this.#connections.add(server)
    this.#checkGiveUp(client)
    this.#checkGiveUp(server)
  }

  forget(side: SimulatedConnection): void {
    for (const end of [side, side.peer]) {
      if (end === undefined) continue
      this.#connections.delete(end)
      this.#cancelGiveUp(end)
    }
  }

  /** Returns false when the address is taken. */
  listen(address: string, socket: ListeningSocket): boolean {
    if (this.#sockets.has(address)) return false
    this.#sockets.set(address, socket)
    return true
  }

  unlisten(address: string): void {
    this.#sockets.delete(address)
  }

  /** What listens on an address and takes connections. */
  socketAt(address: string, host: string): ListeningSocket | undefined {
    return (this.#refusingHosts.get(host) ?? 0) > 0 ? undefined : this.#sockets.get(address)
  }

  /** Returns false when the address is taken. */
  bind(socket: SimulatedDatagramSocket): boolean {
    if (this.#datagramSockets.has(socket.address)) return false
    this.#datagramSockets.set(socket.address, socket)
    return true
  }

  unbind(socket: SimulatedDatagramSocket): void {
    this.#datagramSockets.delete(socket.address)
  }

  datagramSocketAt(address: string): SimulatedDatagramSocket | undefined {
    return this.#datagramSockets.get(address)
  }

  /** A port of the machine that has not been given before. */
  freePort(host: string): number {
    let port = this.#freePorts.get(host) ?? 49_152
    while (this.#sockets.has(`${host}:${port}`) || this.#datagramSockets.has(`${host}:${port}`)) port++
    this.#freePorts.set(host, port >= 65_535 ? 49_152 : port + 1)
    return port
  }

  isDark(host: string): boolean {
    return this.#darkHosts.has(host)
  }

  hostWentDark(host: string): void {
    this.#darkHosts.add(host)
    for (const side of [...this.#connections]) this.#checkGiveUp(side)
  }

  /** The machine is up again, and resets what its peers still take for connections. */
  hostStarted(host: string): void {
    if (!this.#darkHosts.delete(host)) return
    for (const side of [...this.#connections]) {
      const isOrphan = side.options.remoteHost === host && side.peer?.isMute === true
      if (isOrphan) side.learnBroken(this.random.integer(100, 1_000_000), 'reset by the peer')
    }
  }

  #linksChanged(): void {
    for (const side of [...this.#connections]) {
      side.resumeStalled()
      this.#checkGiveUp(side)
      this.#resetOrphan(side)
    }
  }

  /** The other end is gone, and could not say so while the link was blocked. */
  #resetOrphan(side: SimulatedConnection): void {
    const { peer } = side
    if (side.isClosed || peer === undefined || !peer.isClosed || peer.isMute || peer.hasStalled) return
    if (!this.#isCut(side)) side.learnBroken(this.random.integer(100, 1_000_000), 'reset by the peer')
  }

  #isCut(side: SimulatedConnection): boolean {
    const { localHost, remoteHost } = side.options
    if (this.#darkHosts.has(remoteHost) && side.peer?.isMute === true) return true
    return this.link(localHost, remoteHost).isBlocked || this.link(remoteHost, localHost).isBlocked
  }

  #checkGiveUp(side: SimulatedConnection): void {
    if (side.isClosed || !this.#isCut(side)) return this.#cancelGiveUp(side)
    if (this.#giveUps.has(side)) return
    const delayMs = this.random.integer(this.giveUpMsMin, this.giveUpMsMax)
    const cancel = this.#simulation.after(delayMs, () => {
      this.#giveUps.delete(side)
      side.sever()
      side.learnBroken(0, 'the other side does not answer')
    })
    this.#giveUps.set(side, { cancel })
  }

  #cancelGiveUp(side: SimulatedConnection): void {
    this.#giveUps.get(side)?.cancel()
    this.#giveUps.delete(side)
  }
}

function joins(side: SimulatedConnection, a: string, b: string | undefined): boolean {
  const { localHost, remoteHost } = side.options
  if (b === undefined) return localHost === a || remoteHost === a
  return (localHost === a && remoteHost === b) || (localHost === b && remoteHost === a)
}
