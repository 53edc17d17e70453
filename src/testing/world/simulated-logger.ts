import type { Logger, LogLevel } from '../../contracts/world.ts'
import type { SimulatedLoop } from './simulated-loop.ts'

export interface LogLine {
  readonly timeMs: number
  readonly level: LogLevel
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>> | undefined
}

/** How many lines a process's book keeps; older ones are dropped. */
export const logLinesMax = 1_000

/** The last lines that a process has logged, over all its restarts. */
export class LogBook {
  #lines: LogLine[] = []

  get lines(): readonly LogLine[] {
    return this.#lines.slice(-logLinesMax)
  }

  add(line: LogLine): void {
    this.#lines.push(line)
    if (this.#lines.length > 2 * logLinesMax) this.#lines = this.#lines.slice(-logLinesMax)
  }
}

export class SimulatedLogger implements Logger {
  readonly #loop: SimulatedLoop
  readonly #book: LogBook

  constructor(loop: SimulatedLoop, book: LogBook) {
    this.#loop = loop
    this.#book = book
  }

  log(level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>): void {
    if (this.#loop.isEnded) return
    this.#loop.simulation.record('log', this.#loop.name, message)
    this.#book.add({ timeMs: this.#loop.simulation.nowMs, level, message, fields })
  }
}
