import { AlthingError, isAlthingError } from '../../contracts/errors.ts'

/**
 * Remembers the first failure of a node's disk. A failed write or sync leaves the disk's content unknown, and a second sync may report success
 * for pages that were lost, so nothing is tried again: every later call fails with the same cause.
 */
export class FailureLatch {
  readonly #directory: string
  #failure: AlthingError | undefined

  constructor(directory: string) {
    this.#directory = directory
  }

  get failed(): boolean {
    return this.#failure !== undefined
  }

  /** Throws once the disk has failed. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  /** Takes note of a failure and returns the one to report: always the first. */
  fail(cause: unknown): AlthingError {
    this.#failure ??= new AlthingError('disk-failed', this.#message(cause), { outcome: 'unknown', cause })
    return this.#failure
  }

  /** Runs one piece of disk work; its failure is the storage's. */
  async guard<T>(work: () => Promise<T>): Promise<T> {
    this.check()
    try {
      return await work()
    } catch (error) {
      throw this.fail(error)
    }
  }

  /**
   * Runs work on a file that nothing rests on yet, such as a snapshot being written: a full disk is then no failure of the storage, but `no-space`, and the caller
   * removes the file.
   */
  async guardNew<T>(work: () => Promise<T>): Promise<T> {
    this.check()
    try {
      return await work()
    } catch (error) {
      if (!isDiskFull(error)) throw this.fail(error)
      throw new AlthingError('no-space', `there is no room for a new file in ${this.#directory}`, {
        outcome: 'none',
        cause: error,
      })
    }
  }

  #message(cause: unknown): string {
    const reason = cause instanceof Error ? cause.message : String(cause)
    const advice = isDiskFull(cause)
      ? 'The disk is full: free some space, then restart the node'
      : 'Check the disk, then restart the node'
    return `a write to ${this.#directory} failed (${reason}), so the node stops. ${advice}`
  }
}

export function isDiskFull(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false
  if ('code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT')) return true
  return 'cause' in error && error.cause !== error && isDiskFull(error.cause)
}

export function closedError(): AlthingError {
  return new AlthingError('closed', 'the storage is closed', { outcome: 'none' })
}

/** `corrupt` in its one form: file, offset, reason, and the way out. */
export function corruptFile(path: string, offset: number, reason: string): AlthingError {
  return new AlthingError(
    'corrupt',
    `${path} is damaged at offset ${offset}: ${reason}. Nothing was changed. Rebuild this node: keep its folder aside, ` +
      'and let a new member with an empty folder take its place (althing member replace ID); where it is the only one, restore a backup',
    { details: { file: path, offset } },
  )
}

/** Names the file when a decoder below has found its bytes malformed. */
export function inFile<T>(path: string, offset: number, decode: () => T): T {
  try {
    return decode()
  } catch (error) {
    if (isAlthingError(error, 'corrupt')) throw corruptFile(path, offset, error.message)
    throw error
  }
}
