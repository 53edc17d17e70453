import { readFileSync, statSync } from 'node:fs'
import { AlthingError } from '../contracts/errors.ts'
import type { Logger } from '../contracts/world.ts'

/** How often at most the files are looked at. */
const lookMs = 500

/**
 * What is made of the content of some files, made anew when they have changed. Nothing runs in between: the files are looked at when the value is asked
 * for, and twice a second at most. Content that makes no sense (half written) is reported once, and the value before it stays.
 */
export class FreshFiles<Value> {
  readonly #paths: readonly string[]
  readonly #make: (contents: readonly string[]) => Value
  readonly #logger: Logger
  #value: Value
  #stamp: string
  #lookedMs: number

  /** Throws `invalid-argument` when a file cannot be read, or what `make` throws. */
  constructor(paths: readonly string[], make: (contents: readonly string[]) => Value, logger: Logger) {
    this.#paths = paths
    this.#make = make
    this.#logger = logger
    this.#stamp = stampOf(paths)
    this.#lookedMs = performance.now()
    this.#value = make(paths.map(readText))
  }

  get value(): Value {
    if (this.#paths.length > 0 && performance.now() - this.#lookedMs >= lookMs) this.reload()
    return this.#value
  }

  /** Looks now. */
  reload(): void {
    this.#lookedMs = performance.now()
    try {
      const stamp = stampOf(this.#paths)
      if (stamp === this.#stamp) return
      // Remembered even when the content is refused: the same content is not reported twice.
      this.#stamp = stamp
      this.#value = this.#make(this.#paths.map(readText))
      this.#logger.log('info', 'transport security was read anew', { files: this.#paths })
    } catch (error) {
      this.#logger.log(
        'error',
        'transport security could not be read anew; what was read before stays in use',
        {
          files: this.#paths,
          reason: error instanceof Error ? error.message : String(error),
        },
      )
    }
  }
}

function stampOf(paths: readonly string[]): string {
  return paths
    .map((path) => {
      try {
        const { mtimeMs, size, ino } = statSync(path)
        return `${mtimeMs}/${size}/${ino}`
      } catch (cause) {
        throw unreadable(path, cause)
      }
    })
    .join(' ')
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw unreadable(path, cause)
  }
}

function unreadable(path: string, cause: unknown): AlthingError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new AlthingError('invalid-argument', `${path} cannot be read: ${reason}`, { cause, outcome: 'none' })
}
