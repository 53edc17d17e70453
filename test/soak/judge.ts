import { Worker } from 'node:worker_threads'
import type { HistoryEvent } from 'althing/testing/history'

export interface JudgeOrder {
  readonly id: number
  readonly events: readonly HistoryEvent[]
}

export interface JudgeAnswer {
  readonly id: number
  readonly verdict: string
  readonly reason?: string
}

/** Judges histories in a thread of its own, one after the other: the clients' thread must not stand still meanwhile. */
export class Judge {
  readonly #worker = new Worker(new URL('./judge-worker.js', import.meta.url))
  readonly #waiting = new Map<number, (answer: JudgeAnswer) => void>()
  #last = 0

  constructor() {
    this.#worker.on('message', (answer: JudgeAnswer) => {
      this.#waiting.get(answer.id)?.(answer)
      this.#waiting.delete(answer.id)
    })
  }

  judge(events: readonly HistoryEvent[]): Promise<JudgeAnswer> {
    const order: JudgeOrder = { id: ++this.#last, events }
    this.#worker.postMessage(order)
    return new Promise((resolve) => this.#waiting.set(order.id, resolve))
  }

  async close(): Promise<void> {
    await this.#worker.terminate()
  }
}
