import { bytesFromText, textFromBytes } from '../../base/bytes.ts'
import { type ChordHash, chordIdEnd } from '../../protocols/chord/identifiers.ts'
import type { ChordId } from '../../protocols/chord/types.ts'
import { SeededRandom } from '../world/seeded-random.ts'
import { calm, ChordRing, isIdeal, mayCrash, ringViolation } from './chord-ring.ts'
import type { NetworkConditions } from './message-network.ts'

/** `join`, `leave` and `crash` keep to what Zave takes for granted: no message is lost, and none comes after its timeout. The others break it. */
export const chordFaults = ['join', 'leave', 'crash', 'loss', 'delay', 'partition'] as const
export type ChordFault = (typeof chordFaults)[number]

const churnFaults: ReadonlySet<ChordFault> = new Set(['join', 'leave', 'crash'])

export interface ChordRunOptions {
  readonly seed: number
  readonly hash: ChordHash
  readonly faults: readonly ChordFault[]
  /** At the start. Default: drawn of 6 to 16. */
  readonly nodes?: number
  /** Virtual seconds under faults. Default 60. */
  readonly seconds?: number
}

export interface ChordRunReport {
  readonly seed: number
  readonly nodes: number
  /** What was broken; absent when all held. */
  readonly violation?: string
  readonly joins: number
  readonly leaves: number
  readonly crashes: number
  readonly keys: number
  readonly virtualMs: number
  readonly messages: number
}

const successorsMax = 4
const options = {
  successorsMax,
  copies: 3,
  stabiliseMs: 500,
  fixFingersMs: 500,
  timeoutMs: 250,
  refreshMs: 5_000,
}
const keysMax = 30
const membersMax = 24
/** Events between two looks at the whole ring. */
const judgedEvery = 5
/** Crashes further apart than this find the copies made anew. */
const repairMs = 4_000

/**
 * Churn from one seed; then it ends. Judged: Zave's invariants after every fifth event; after the end that all places are right, and that
 * every key whose put was acknowledged is found with its last value, asked of every node. Where loss, delay or partitions made live nodes look dead: only after the end, and with any
 * value that was put, as both sides of a partition take puts.
 */
export function simulateChord({ seed, hash, faults, nodes, seconds = 60 }: ChordRunOptions): ChordRunReport {
  const random = new SeededRandom(seed)
  const size = nodes ?? random.integer(6, 16)
  const run = new ChordRun(
    new ChordRing(random.fork('network'), hash, options),
    faults,
    random.fork('churn'),
    size,
  )
  const violation = run.judge(seconds * 1_000)
  const { joins, leaves, crashes, ring, stored } = run
  return {
    seed,
    nodes: size,
    ...(violation === undefined ? {} : { violation }),
    joins,
    leaves,
    crashes,
    keys: stored.size,
    virtualMs: ring.network.nowMs,
    messages: [...ring.network.sent.values()].reduce((sum, count) => sum + count, 0),
  }
}

class ChordRun {
  readonly ring: ChordRing
  /** The values that a key may have: the last one acknowledged (any, where live nodes were taken for dead), and those of which nobody knows whether they were stored. */
  readonly stored = new Map<string, Set<string>>()
  joins = 0
  leaves = 0
  crashes = 0
  readonly #faults: readonly ChordFault[]
  /** Whether all that looks dead is dead. */
  readonly #isSynchronous: boolean
  readonly #random: SeededRandom
  readonly #underWay = new Set<string>()
  readonly #unsure = new Map<string, Set<string>>()
  #value = 0
  #lastCrashMs = 0
  #violation: string | undefined

  constructor(ring: ChordRing, faults: readonly ChordFault[], random: SeededRandom, size: number) {
    this.ring = ring
    this.#faults = faults
    this.#isSynchronous = faults.every((fault) => churnFaults.has(fault))
    this.#random = random
    const ids = new Set<ChordId>()
    while (ids.size < Math.max(size, successorsMax + 2)) ids.add(random.integer(0, chordIdEnd - 1))
    ring.startAll([...ids], successorsMax)
  }

  judge(churnMs: number): string | undefined {
    const { network } = this.ring
    let events = 0
    this.#churn(churnMs)
    network.runUntil(churnMs, () => {
      events += 1
      if (this.#isSynchronous && events % judgedEvery === 0) this.#violation ??= ringViolation(this.ring)
      return this.#violation !== undefined
    })
    network.part(new Map())
    network.conditions = calm
    if (this.#violation !== undefined) return `${this.#violation}, ${network.nowMs} ms`
    const healMs = 30_000 + 2_000 * this.ring.members.length
    network.runUntil(churnMs + healMs)
    if (!isIdeal(this.ring, successorsMax))
      return `the places are not right ${healMs} ms after the end of the churn`
    return this.#missingKey()
  }

  #churn(untilMs: number): void {
    const actions: Readonly<Record<ChordFault, () => void>> = {
      join: () => this.#join(),
      leave: () => this.#leave(),
      crash: () => this.#crash(),
      loss: () => this.#setConditions({ lossShare: this.#random.pick([0, 0.05, 0.3]) }),
      delay: () => this.#setConditions({ delayMsMax: calm.delayMsMax * this.#random.pick([1, 3, 10]) }),
      partition: () => this.#partition(),
    }
    const meanMs = this.#random.pick([1_000, 3_000, 8_000])
    for (const fault of this.#faults) this.#repeat(untilMs, meanMs, actions[fault])
    this.#repeat(untilMs, 500, () => this.#put())
  }

  #repeat(untilMs: number, meanMs: number, action: () => void): void {
    let atMs = this.#random.exponential(meanMs)
    for (; atMs < untilMs; atMs += Math.max(1, this.#random.exponential(meanMs)))
      this.ring.network.after(atMs, action)
  }

  #join(): void {
    if (this.ring.running.length >= membersMax) return
    this.joins += 1
    this.ring.join(this.#random.integer(0, chordIdEnd - 1), this.#random.pick(this.ring.members))
  }

  #leave(): void {
    const id = this.#random.pick(this.ring.members)
    if (!this.#isCalm || !mayCrash(this.ring, id, successorsMax)) return
    this.leaves += 1
    this.#lastCrashMs = this.ring.network.nowMs
    this.ring.leave(id)
  }

  #crash(): void {
    const id = this.#random.pick(this.ring.members)
    if (!this.#isCalm || !mayCrash(this.ring, id, successorsMax)) return
    this.crashes += 1
    this.#lastCrashMs = this.ring.network.nowMs
    this.ring.crash(id)
  }

  #setConditions(some: Partial<NetworkConditions>): void {
    const { network } = this.ring
    network.conditions = { ...network.conditions, ...some }
  }

  /** In two parts, or whole again. */
  #partition(): void {
    const last = this.#random.integer(0, 1)
    const { network, running } = this.ring
    network.part(new Map(running.map((id) => [id, this.#random.integer(0, last)])))
  }

  get #isCalm(): boolean {
    return this.ring.network.nowMs - this.#lastCrashMs > repairMs
  }

  #put(): void {
    const key = `key-${this.#random.integer(1, keysMax)}`
    if (this.#underWay.has(key)) return
    this.#underWay.add(key)
    this.#value += 1
    const value = String(this.#value)
    const { ring } = this
    const from = this.#random.pick(ring.members)
    const request = ring.ask(from, { type: 'put', key, value: bytesFromText(value) })
    const look = (): void => {
      const answer = ring.answer(request)
      if (answer === undefined && ring.node(from)?.isIn === true) {
        ring.network.after(100, look)
        return
      }
      this.#underWay.delete(key)
      const isDone = answer?.type === 'putDone' && answer.isDone
      if (isDone) {
        const former = this.#isSynchronous ? [] : (this.stored.get(key) ?? [])
        this.stored.set(key, new Set([...former, ...(this.#unsure.get(key) ?? []), value]))
      } else {
        this.#unsure.set(key, new Set([...(this.#unsure.get(key) ?? []), value]))
        this.stored.get(key)?.add(value)
      }
    }
    ring.network.after(100, look)
  }

  #missingKey(): string | undefined {
    const { ring } = this
    const asked: { readonly key: string; readonly id: ChordId; readonly request: number }[] = []
    for (const key of this.stored.keys())
      for (const id of ring.members) asked.push({ key, id, request: ring.ask(id, { type: 'get', key }) })
    ring.network.runUntil(ring.network.nowMs + 10_000)
    for (const { key, id, request } of asked) {
      const answer = ring.answer(request)
      const found = answer?.type === 'getDone' ? answer.value : undefined
      const value = found === undefined ? undefined : textFromBytes(found)
      const may = this.stored.get(key)
      if (value === undefined || may?.has(value) !== true)
        return `${key} is not found at ${id}: ${value}, not one of ${[...(may ?? [])].join()}`
    }
    return undefined
  }
}
