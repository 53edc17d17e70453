import { AlthingError } from '../../contracts/errors.ts'
import type { World } from '../../contracts/world.ts'
import type { LogHandler, LogMessage, LogState, SharedLog, SnapshotManifest } from './shared-log.ts'

/** What may go wrong, each with its probability at each occasion. */
export interface LogFaults {
  /** An append that never arrives, and whose caller hears nothing. */
  readonly lostAppend: number
  /** An append that arrives, and whose acknowledgement does not. */
  readonly lostAcknowledgement: number
  /** An append that arrives twice, the second time much later. */
  readonly doubledAppend: number
  /** A reader is cut off. */
  readonly brokenReader: number
  /** A message does not reach a reader. */
  readonly lostMessage: number
  /** A connection is lost, and is back after a while. */
  readonly lostConnection: number
  /** Of each way, in milliseconds. */
  readonly delayMsMax: number
}

export const noFaults: LogFaults = {
  lostAppend: 0,
  lostAcknowledgement: 0,
  doubledAppend: 0,
  brokenReader: 0,
  lostMessage: 0,
  lostConnection: 0,
  delayMsMax: 2,
}

interface StoredSnapshot {
  readonly manifest: SnapshotManifest
  readonly chunks: readonly Uint8Array[]
}

const attemptMs = 300
const snapshotsKept = 2

/** A log in memory, in a simulated world, as NATS would keep it, with NATS's failures. */
export class SimulatedLogServer {
  faults: LogFaults = noFaults
  /** Past so many bytes appends are refused with `no-space`. */
  bytesMax = Number.POSITIVE_INFINITY
  /** Whether snapshots are refused, too. */
  isSnapshotsFull = false
  isDown = false
  identity = 'log-1'
  messageBytesMax = 4 * 1024 * 1024
  /** What its clock shows beside the true time. */
  clockOffsetMs = 0
  readonly messages: LogMessage[] = []
  first = 1
  #bytes = 0
  readonly #lost = new Set<number>()
  snapshots: StoredSnapshot[] = []
  readonly world: World
  readonly readers = new Set<Reader>()
  readonly #connections = new Set<SimulatedLog>()

  constructor(world: World) {
    this.world = world
  }

  get last(): number {
    return this.first + this.messages.length - 1
  }

  connect(): SimulatedLog {
    const log = new SimulatedLog(this)
    this.#connections.add(log)
    return log
  }

  chance(probability: number): boolean {
    return probability > 0 && this.world.random.float() < probability
  }

  later(callback: () => void, extraMs = 0): void {
    this.world.timers.after(extraMs + this.world.random.float() * this.faults.delayMsMax, callback)
  }

  /** Returns the sequence, or `undefined` where there is no room. */
  store(data: Uint8Array): number | undefined {
    if (this.#bytes + data.byteLength > this.bytesMax) return undefined
    const sequence = this.last + 1
    const timeMs = Math.floor(this.world.clock.wallMs() + this.clockOffsetMs)
    this.messages.push({ sequence, timeMs, data: new Uint8Array(data) })
    this.#bytes += data.byteLength
    for (const reader of this.readers) reader.pump()
    return sequence
  }

  message(sequence: number): LogMessage | undefined {
    return this.#lost.has(sequence) ? undefined : this.messages[sequence - this.first]
  }

  purge(sequence: number): void {
    while (this.messages.length > 0 && this.first <= sequence) {
      this.#bytes -= (this.messages.shift() as LogMessage).data.byteLength
      this.first++
    }
  }

  /** As when a block of the server's file is damaged: a message in the middle is gone, and those after it are there. */
  loseMessage(sequence: number): void {
    this.#lost.add(sequence)
    this.breakReaders()
  }

  /** As when a machine loses its power: the last messages, acknowledged or not, are gone. */
  loseTail(count: number): void {
    for (const message of this.messages.splice(Math.max(0, this.messages.length - count)))
      this.#bytes -= message.data.byteLength
    this.breakReaders()
  }

  breakReaders(): void {
    for (const reader of [...this.readers]) reader.break()
  }

  /** All servers are away for so long. */
  stop(forMs: number): void {
    this.isDown = true
    for (const log of this.#connections) log.disconnect()
    this.breakReaders()
    this.world.timers.after(forMs, () => {
      this.isDown = false
      for (const log of this.#connections) log.connect()
    })
  }
}

class Reader {
  readonly #server: SimulatedLogServer
  readonly #handler: LogHandler
  #next: number
  #isPumping = false
  #isOver = false

  constructor(server: SimulatedLogServer, from: number, handler: LogHandler) {
    this.#server = server
    this.#handler = handler
    this.#next = Math.max(from, server.first)
    server.readers.add(this)
    server.later(() => {
      if (this.#isOver) return
      handler.following()
      this.pump()
    })
  }

  /** One after the other: they never overtake each other. */
  pump(): void {
    if (this.#isPumping || this.#isOver || this.#next > this.#server.last) return
    this.#isPumping = true
    this.#server.later(() => {
      this.#isPumping = false
      if (this.#isOver) return
      if (this.#server.chance(this.#server.faults.brokenReader)) {
        this.break()
        return
      }
      for (let count = 0; count < 16 && this.#next <= this.#server.last && !this.#isOver; count++) {
        this.#next = Math.max(this.#next, this.#server.first)
        const message = this.#server.message(this.#next++)
        if (message !== undefined && !this.#server.chance(this.#server.faults.lostMessage))
          this.#handler.message(message)
      }
      this.pump()
    })
  }

  break(): void {
    if (this.#isOver) return
    this.stop()
    this.#handler.ended(new AlthingError('unavailable', 'the reader was cut off'))
  }

  stop(): void {
    this.#isOver = true
    this.#server.readers.delete(this)
  }
}

/** One client's connection to a {@link SimulatedLogServer}. */
export class SimulatedLog implements SharedLog {
  isConnected = true
  readonly #server: SimulatedLogServer
  #onConnected: () => void = () => undefined
  readonly #readers = new Set<Reader>()

  constructor(server: SimulatedLogServer) {
    this.#server = server
  }

  get messageBytesMax(): number {
    return this.#server.messageBytesMax
  }

  onConnected(handler: () => void): void {
    this.#onConnected = handler
  }

  disconnect(): void {
    this.isConnected = false
    for (const reader of this.#readers) reader.break()
    this.#readers.clear()
  }

  connect(): void {
    this.isConnected = true
    this.#onConnected()
  }

  state(): Promise<LogState> {
    return this.#ask(() => {
      const { identity, first, last } = this.#server
      return { identity, first, last }
    })
  }

  append(data: Uint8Array): Promise<number> {
    const server = this.#server
    const { faults, world } = server
    if (!this.isConnected) return Promise.reject(unavailable('none'))
    if (server.chance(faults.lostConnection)) {
      this.disconnect()
      world.timers.after(50 + world.random.float() * 500, () => {
        if (!server.isDown) this.connect()
      })
    }
    return new Promise((resolve, reject) => {
      world.timers.after(attemptMs, () => reject(unavailable('unknown')))
      if (server.chance(faults.lostAppend)) return
      const arrive = (): void => {
        if (server.isDown) return
        const sequence = server.store(data)
        if (server.chance(faults.lostAcknowledgement)) return
        server.later(() => {
          if (sequence === undefined)
            reject(new AlthingError('no-space', 'the log is full', { outcome: 'none' }))
          else resolve(sequence)
        })
      }
      server.later(arrive)
      if (server.chance(faults.doubledAppend))
        server.later(() => void server.store(data), world.random.float() * 1_000)
    })
  }

  follow(from: number, handler: LogHandler): () => void {
    if (!this.isConnected) {
      this.#server.later(() => handler.ended(unavailable('none')))
      return () => undefined
    }
    const reader = new Reader(this.#server, from, handler)
    this.#readers.add(reader)
    return () => {
      reader.stop()
      this.#readers.delete(reader)
    }
  }

  purge(sequence: number): Promise<void> {
    return this.#ask(() => this.#server.purge(sequence))
  }

  snapshots(): Promise<readonly SnapshotManifest[]> {
    return this.#ask(() => this.#server.snapshots.map(({ manifest }) => manifest))
  }

  async *readSnapshot({ id }: SnapshotManifest): AsyncIterable<Uint8Array> {
    for (let index = 0; ; index++) {
      const chunk = await this.#ask(() => {
        const found = this.#server.snapshots.find(({ manifest }) => manifest.id === id)
        if (found === undefined) throw new AlthingError('not-found', 'the snapshot is gone')
        return found.chunks[index]
      })
      if (chunk === undefined) return
      yield chunk
    }
  }

  async saveSnapshot(
    manifest: Omit<SnapshotManifest, 'chunks' | 'bytes'>,
    chunks: Iterable<Uint8Array>,
  ): Promise<boolean> {
    const { id: newest, sequence = 0 } = (await this.#ask(() => this.#server.snapshots[0]?.manifest)) ?? {}
    if (sequence >= manifest.sequence) return false
    const kept: Uint8Array[] = []
    for (const chunk of chunks) {
      await this.#ask(() => undefined)
      kept.push(new Uint8Array(chunk))
    }
    return await this.#ask(() => {
      const server = this.#server
      if (server.isSnapshotsFull)
        throw new AlthingError('no-space', 'no room for snapshots', { outcome: 'none' })
      if (server.snapshots[0]?.manifest.id !== newest) return false
      const whole = { ...manifest, chunks: kept.length, bytes: 0 }
      server.snapshots = [{ manifest: whole, chunks: kept }, ...server.snapshots].slice(0, snapshotsKept)
      return true
    })
  }

  close(): Promise<void> {
    this.disconnect()
    return Promise.resolve()
  }

  /** A question to the server, whose answer may get lost. */
  #ask<T>(answer: () => T): Promise<T> {
    const server = this.#server
    return new Promise((resolve, reject) => {
      const timer = server.world.timers.after(attemptMs, () => reject(unavailable('unknown')))
      if (!this.isConnected || server.chance(server.faults.lostAppend)) return
      server.later(() => {
        if (server.isDown) return
        try {
          const value = answer()
          server.later(() => {
            timer.cancel()
            resolve(value)
          })
        } catch (error) {
          timer.cancel()
          reject(error as Error)
        }
      })
    })
  }
}

function unavailable(outcome: 'none' | 'unknown'): AlthingError {
  return new AlthingError('unavailable', 'the log does not answer', { outcome })
}
