import pino from 'pino'
import type { Logger, LogLevel } from '../contracts/world.ts'

/** JSON lines on stderr. Synchronous: the lines before a crash are the ones that matter. */
export class NodeLogger implements Logger {
  readonly #pino: pino.Logger

  constructor(level: LogLevel = 'info') {
    const destination = pino.destination({ fd: 2, sync: true })
    this.#pino = pino(
      { level, base: { pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime },
      destination,
    )
  }

  log(level: LogLevel, message: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#pino[level](plainFields(fields), message)
  }
}

/** JSON has no form for an `Error`: it would be written as `{}`. */
function plainFields(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      value instanceof Error ? pino.stdSerializers.err(value) : value,
    ]),
  )
}
