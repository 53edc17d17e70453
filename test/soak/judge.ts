import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
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

/** Judges histories in a process of its own, one after the other: the clients must not stand still meanwhile. */
export class Judge {
  readonly #process = fork(fileURLToPath(new URL('./judge-process.js', import.meta.url)))
  readonly #waiting = new Map<number, (answer: JudgeAnswer) => void>()
  #last = 0

  constructor() {
    this.#process.on('message', (answer: JudgeAnswer) => this.#answered(answer))
    this.#process.once('exit', (code) => {
      for (const id of this.#waiting.keys())
        this.#answered({ id, verdict: 'unknown', reason: `the judge ended with code ${code}` })
    })
  }

  judge(events: readonly HistoryEvent[]): Promise<JudgeAnswer> {
    const order: JudgeOrder = { id: ++this.#last, events }
    return new Promise((resolve) => {
      this.#waiting.set(order.id, resolve)
      this.#process.send(order)
    })
  }

  close(): void {
    this.#process.kill()
  }

  #answered(answer: JudgeAnswer): void {
    this.#waiting.get(answer.id)?.(answer)
    this.#waiting.delete(answer.id)
  }
}
