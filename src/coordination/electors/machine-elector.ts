import { createDeferred, type Deferred } from '../../base/deferred.ts'
import { AlthingError, asAlthingError } from '../../contracts/errors.ts'
import type { Timer, World } from '../../contracts/world.ts'
import type {
  ElectionEffect,
  ElectionEvent,
  ElectionMachine,
  ElectionState,
} from '../../protocols/election/types.ts'
import { abortedError, untilAborted } from '../abortable.ts'
import { Conflated } from '../conflated.ts'
import type { ElectionTransport } from './election-transport.ts'
import {
  type ElectedTerm,
  type Elector,
  type ElectorAlgorithm,
  electorGuarantees,
  type ElectorGuarantees,
  type ElectorLeader,
} from './elector-types.ts'
import { MachineTerm } from './machine-term.ts'
import type { SavedState } from './saved-state.ts'

interface Addressed {
  readonly from: number
  readonly to: number
}

export interface MachineElectorParts<Message extends Addressed> {
  readonly world: World
  readonly algorithm: Exclude<ElectorAlgorithm, 'lock'>
  readonly id: number
  /** A leader that has been silent for so long may have a successor. */
  readonly silenceMsMax: number
  readonly heartbeatMs: number
  readonly machine: ElectionMachine<Message>
  readonly savedState: SavedState | undefined
}

/** Runs an election machine: performs its effects in order, one after the other, and turns what it says into the contract of {@link Elector}. */
export class MachineElector<Message extends Addressed> implements Elector {
  readonly #parts: MachineElectorParts<Message>
  readonly #leaders = new Conflated<ElectorLeader | undefined>()
  readonly #effects: ElectionEffect<Message>[] = []
  readonly #ended = createDeferred<void>()
  #transport: ElectionTransport<Message> | undefined
  #isPerforming = false
  #timer: Timer | undefined
  #waiting: Deferred<ElectedTerm> | undefined
  #held: MachineTerm | undefined
  #end: AlthingError | undefined

  constructor(parts: MachineElectorParts<Message>) {
    this.#parts = parts
    this.#leaders.set(undefined)
  }

  get algorithm(): ElectorAlgorithm {
    return this.#parts.algorithm
  }

  get guarantees(): ElectorGuarantees {
    return electorGuarantees[this.algorithm]
  }

  get node(): string {
    return String(this.#parts.id)
  }

  get leader(): ElectorLeader | undefined {
    return this.#leaders.latest
  }

  async start(transport: ElectionTransport<Message>): Promise<void> {
    this.#transport = transport
    await transport.start()
    this.step({ type: 'tick' })
  }

  step(event: ElectionEvent<Message>): void {
    if (this.#end !== undefined) return
    const nowMs = this.#parts.world.clock.monotonicMs()
    try {
      if (this.#held !== undefined && !this.#held.isLeader) this.#stoodStill(nowMs)
      this.#effects.push(...this.#parts.machine.step(event, nowMs))
    } catch (error) {
      this.#fail(asAlthingError(error))
      return
    }
    void this.#perform()
    this.#setTimer()
  }

  async campaign(options: { readonly signal?: AbortSignal } = {}): Promise<ElectedTerm> {
    const { signal } = options
    if (signal?.aborted === true) throw abortedError(signal)
    if (this.#end !== undefined) throw this.#end
    if (this.#waiting !== undefined || this.#held !== undefined)
      throw new AlthingError('conflict', 'this node campaigns or leads already', { outcome: 'none' })
    const waiting = createDeferred<ElectedTerm>()
    this.#waiting = waiting
    this.step({ type: 'setEligible', eligible: true })
    this.#takeTerm(this.#parts.machine.state)
    try {
      return await untilAborted(waiting.promise, signal)
    } catch (error) {
      if (this.#waiting === waiting) this.#withdraw()
      // Elected in the very moment of the signal: nobody would ever resign it.
      else void waiting.promise.then((term) => term.resign()).catch(() => {})
      throw error
    }
  }

  observe(options: { readonly signal?: AbortSignal } = {}): AsyncIterable<ElectorLeader | undefined> {
    const seen = new Conflated<ElectorLeader | undefined>()
    const stop = this.#leaders.subscribe((leader) => seen.set(leader))
    const end = (): void => {
      stop()
      seen.end()
    }
    if (this.#end !== undefined || options.signal?.aborted === true) end()
    else {
      options.signal?.addEventListener('abort', end, { once: true })
      this.#ended.promise.then(end, end)
    }
    return seen
  }

  async close(): Promise<void> {
    if (this.#end === undefined) {
      // Best effort: the others need not wait for this node's silence.
      this.#held?.end()
      this.#held = undefined
      this.step({ type: 'setEligible', eligible: false })
      this.#fail(new AlthingError('closed', 'the elector was closed', { outcome: 'none' }))
    }
    await this.#transport?.close()
    await this.#parts.savedState?.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Effects are performed one after the other; those that come while a write is under way wait for it. */
  async #perform(): Promise<void> {
    if (this.#isPerforming) return
    this.#isPerforming = true
    try {
      for (let effect = this.#effects.shift(); effect !== undefined; effect = this.#effects.shift()) {
        if (effect.type === 'send') this.#transport?.send(effect.message)
        else if (effect.type === 'stateChanged') this.#stateChanged(effect)
        else {
          await this.#parts.savedState?.save(effect.state)
          this.step({ type: 'persisted', sequence: effect.sequence })
        }
      }
    } catch (error) {
      this.#fail(asAlthingError(error))
    } finally {
      this.#isPerforming = false
    }
  }

  #stateChanged(state: ElectionState): void {
    const { term, leader } = state
    if (this.#held !== undefined && (state.role !== 'leader' || term !== this.#held.term)) {
      this.#held.lose(
        new AlthingError('lost', `node ${this.node} leads no more: the election has another result`),
      )
      this.#held = undefined
    }
    const known = leader === 0 ? undefined : { node: String(leader), term }
    const last = this.#leaders.latest
    if (last?.node !== known?.node || last?.term !== known?.term) this.#leaders.set(known)
    this.#takeTerm(state)
  }

  #takeTerm({ role, term }: ElectionState): void {
    // Effects that are still to be performed may say otherwise, or the term is not durable yet.
    const waiting = this.#waiting
    if (
      waiting === undefined ||
      role !== 'leader' ||
      this.leader?.term !== term ||
      this.leader.node !== this.node
    )
      return
    const { machine } = this.#parts
    if (machine.state.role !== 'leader' || machine.state.term !== term) return
    const { world, heartbeatMs, silenceMsMax } = this.#parts
    this.#waiting = undefined
    this.#held = new MachineTerm({
      node: this.node,
      term,
      isCurrent: () => world.clock.monotonicMs() < machine.nextDeadlineMs - heartbeatMs + silenceMsMax,
      resign: () => this.#withdraw(),
    })
    waiting.resolve(this.#held)
  }

  #withdraw(): void {
    this.#held = undefined
    this.#waiting = undefined
    this.step({ type: 'setEligible', eligible: false })
  }

  /** Found before anything else is handled: the others may have a leader by now. */
  #stoodStill(nowMs: number): void {
    const message = `node ${this.node} stood still for so long that the others may have elected another leader`
    this.#held?.lose(new AlthingError('lost', message, { details: { cause: 'event-loop-blocked' } }))
    this.#held = undefined
    this.#effects.push(...this.#parts.machine.step({ type: 'suspect' }, nowMs))
  }

  #setTimer(): void {
    this.#timer?.cancel()
    if (this.#end !== undefined) return
    const { world, machine } = this.#parts
    const delayMs = machine.nextDeadlineMs - world.clock.monotonicMs()
    if (delayMs === Number.POSITIVE_INFINITY) return
    this.#timer = world.timers.after(Math.max(0, delayMs), () => this.step({ type: 'tick' }))
  }

  #fail(error: AlthingError): void {
    if (this.#end !== undefined) return
    this.#end = error
    this.#timer?.cancel()
    this.#held?.lose(new AlthingError('lost', `the elector has ended: ${error.message}`, { cause: error }))
    this.#held = undefined
    this.#waiting?.reject(error)
    this.#waiting = undefined
    this.#leaders.set(undefined)
    this.#ended.resolve()
  }
}
