import { Requests } from './requests.ts'
import type { ChordEffect, ChordMessage, ChordOptions, ChordPeer } from './types.ts'

type Body<T> = T extends unknown ? Omit<T, 'from' | 'to' | 'request'> : never
export type MessageBody = Body<ChordMessage>

/** What the silence of the one asked says of it: `dead`, that it has crashed; `slow`, that it is better not asked first; `nothing`, as it may wait for others itself. */
export type Silence = 'dead' | 'slow' | 'nothing'

/** A node that waits for others while it is asked may take as long as several rounds of theirs. */
const waitingRounds = 4

/** Sends for one node and pairs questions with answers; collects the effects of a step, and has its time. */
export class Messenger {
  readonly self: ChordPeer
  nowMs: number
  readonly #requests: Requests
  readonly #tries: number
  readonly #silent: (peer: ChordPeer, silence: Silence) => void
  #effects: ChordEffect[] = []

  constructor(
    { self, timeoutMs, tries }: ChordOptions,
    nowMs: number,
    silent: (peer: ChordPeer, silence: Silence) => void,
  ) {
    this.self = self
    this.nowMs = nowMs
    this.#tries = tries
    this.#silent = silent
    this.#requests = new Requests(timeoutMs, nowMs)
  }

  get nextDeadlineMs(): number {
    return this.#requests.nextDeadlineMs
  }

  takeEffects(): ChordEffect[] {
    const effects = this.#effects
    this.#effects = []
    return effects
  }

  emit(effect: ChordEffect): void {
    this.#effects.push(effect)
  }

  tick(): void {
    this.#requests.tick(this.nowMs)
  }

  answered(message: ChordMessage): void {
    this.#requests.answered(message)
  }

  /** Sent again with the same number while no answer comes, unless silence says only `slow`: what is asked must bear being asked twice. */
  ask(
    to: ChordPeer,
    body: MessageBody,
    failed: () => void,
    answered: (reply: ChordMessage) => void,
    silence: Silence = 'dead',
  ): void {
    const request = this.#requests.nextNumber()
    const message = { ...body, from: this.self, to, request }
    const tries = { dead: this.#tries, slow: 1, nothing: this.#tries * waitingRounds }[silence]
    const send = (): void => this.emit({ type: 'send', message })
    const gaveUp = (): void => {
      this.#silent(to, silence === 'slow' && this.#tries === 1 ? 'dead' : silence)
      failed()
    }
    this.#requests.begin(request, { to, tries, send, answered, failed: gaveUp }, this.nowMs)
  }

  reply({ from, request }: ChordMessage, body: MessageBody): void {
    this.emit({ type: 'send', message: { ...body, from: this.self, to: from, request } })
  }

  send(to: ChordPeer, body: MessageBody): void {
    this.emit({ type: 'send', message: { ...body, from: this.self, to, request: 0 } })
  }
}
