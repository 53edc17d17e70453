import { AlthingError } from '../contracts/errors.ts'
import type { DiskFile, World } from '../contracts/world.ts'

/** One line: who did what, from where, and what came of it. Never a secret: see {@link withoutSecrets}. */
export interface AuditEntry {
  /** The user; empty where nobody has signed in. */
  readonly who: string
  /** `host:port` of the caller. */
  readonly from: string
  /** The operator's call, or what was refused. */
  readonly what: string
  /** `begun` stands on the disk before the action; `done` and `failed` follow it. */
  readonly outcome: 'begun' | 'done' | 'failed' | 'denied'
  /** Joins the two lines of an action. */
  readonly action?: string
  readonly details?: unknown
}

/** A line as it stands in the file. */
export interface AuditLine extends AuditEntry {
  /** Wall clock of the node that wrote it. */
  readonly atMs: number
  readonly node: number
}

export interface AuditLogOptions {
  readonly world: Pick<World, 'clock' | 'disk' | 'logger'>
  /** Path in the world's disk; older files stand beside it as `PATH.1`, `PATH.2` ... */
  readonly path: string
  /** Written into each line. */
  readonly node: number
  /** Default 16 MiB. */
  readonly fileBytesMax?: number
  /** Files kept beside the one written (default 8). */
  readonly filesMax?: number
}

/** Lines waiting for the disk, past which no more are taken. */
const waitingMax = 1_000
/** Lines of refused access a second, past which they are counted only: who is refused must not be able to fill the disk. */
const denialsPerSecond = 10
/** Of each file so much is looked at by {@link AuditLog.tail}. */
const tailBytesMax = 1024 * 1024

/**
 * The audit log of one node: JSON lines in a file that is only appended to, and put aside when it is full. A line of an operator's action is on the disk before the
 * action begins; when it cannot be written the action is refused.
 */
export class AuditLog {
  readonly #world: AuditLogOptions['world']
  readonly #path: string
  readonly #node: number
  readonly #fileBytesMax: number
  readonly #filesMax: number
  #file: DiskFile | undefined
  #size = 0
  #tail: Promise<void> = Promise.resolve()
  #waiting = 0
  #failure: AlthingError | undefined
  #denialsFromMs = Number.NEGATIVE_INFINITY
  #denials = 0
  #suppressed = 0
  #actions = 0

  constructor(options: AuditLogOptions) {
    this.#world = options.world
    this.#path = options.path
    this.#node = options.node
    this.#fileBytesMax = options.fileBytesMax ?? 16 * 1024 * 1024
    this.#filesMax = options.filesMax ?? 8
  }

  /** Why the last line could not be written; undefined when it was. */
  get failure(): AlthingError | undefined {
    return this.#failure
  }

  /** A number that joins the lines of one action. Begins anew with each process. */
  nextAction(): string {
    return String(++this.#actions)
  }

  /** Resolves when the line is on the disk. Rejects with `unavailable` (outcome none) when it cannot be written; the next call tries anew. */
  record(entry: AuditEntry): Promise<void> {
    if (this.#waiting >= waitingMax)
      return Promise.reject(unwritable(`${waitingMax} lines wait for the disk`))
    const line = Buffer.from(
      `${JSON.stringify({ atMs: this.#world.clock.wallMs(), node: this.#node, ...entry })}\n`,
    )
    this.#waiting++
    const written = this.#tail.then(() => this.#append(line))
    this.#tail = written.then(
      () => this.#settled(undefined),
      (error: unknown) => this.#settled(unwritable(error)),
    )
    return written.catch((error: unknown) => {
      throw unwritable(error)
    })
  }

  /** A line whose writing nobody waits for. A failure is reported all the same. */
  note(entry: AuditEntry): void {
    this.record(entry).catch(() => {})
  }

  /** A refused access. Past {@link denialsPerSecond} they are counted, and the next line says how many there were. */
  denied(entry: Omit<AuditEntry, 'outcome'>): void {
    const nowMs = this.#world.clock.monotonicMs()
    if (nowMs - this.#denialsFromMs >= 1_000) {
      this.#denialsFromMs = nowMs
      this.#denials = 0
    }
    if (this.#denials >= denialsPerSecond) {
      this.#suppressed++
      return
    }
    this.#denials++
    const suppressed = this.#suppressed
    this.#suppressed = 0
    this.note({
      ...entry,
      outcome: 'denied',
      ...(suppressed === 0 ? {} : { details: { unlistedBefore: suppressed } }),
    })
  }

  /** The newest lines, oldest first, of the file written and the one put aside last. Rejects with `disk-failed`. */
  async tail(linesMax: number): Promise<readonly AuditLine[]> {
    await this.#tail
    const kept = new Set(await this.#world.disk.list(folderOf(this.#path)))
    const found: AuditLine[] = []
    for (const path of [this.#path, `${this.#path}.1`]) {
      if (found.length >= linesMax || !kept.has(nameOf(path))) continue
      found.unshift(...(await this.#linesAtEnd(path)))
    }
    return found.slice(-linesMax)
  }

  /** Waits for the lines under way. */
  async close(): Promise<void> {
    await this.#tail
    await this.#file?.close()
    this.#file = undefined
  }

  #settled(failure: AlthingError | undefined): void {
    this.#waiting--
    if (failure !== undefined && this.#failure === undefined) {
      this.#world.logger.log('error', 'the audit log cannot be written: operator actions are refused', {
        path: this.#path,
        reason: failure.message,
      })
    }
    this.#failure = failure
  }

  async #append(line: Uint8Array): Promise<void> {
    try {
      const file = await this.#writable(line.byteLength)
      await file.writeDurably(this.#size, [line])
      this.#size += line.byteLength
    } catch (error) {
      // What the file holds now is not known: it is opened anew, and its end looked at.
      const file = this.#file
      this.#file = undefined
      await file?.close().catch(() => {})
      throw error
    }
  }

  async #linesAtEnd(path: string): Promise<AuditLine[]> {
    const file = await this.#world.disk.open(path, { create: false })
    try {
      const size = await file.size()
      const from = Math.max(0, size - tailBytesMax)
      const text = Buffer.from(await file.read(from, size - from)).toString('utf8')
      // The first may be the end of a line, and a crash may have cut any.
      return text.split('\n').flatMap((line, i) => (i === 0 && from > 0 ? [] : lineIn(line)))
    } finally {
      await file.close()
    }
  }

  async #writable(bytes: number): Promise<DiskFile> {
    if (this.#file !== undefined && this.#size + bytes > this.#fileBytesMax && this.#size > 0)
      await this.#putAside()
    if (this.#file !== undefined) return this.#file
    const file = await this.#world.disk.open(this.#path, { create: true })
    this.#file = file
    this.#size = await file.size()
    await this.#world.disk.syncDirectory(folderOf(this.#path))
    await this.#endTornLine(file)
    return file
  }

  /** A line that a crash has cut stays as it is: the next begins on a line of its own. */
  async #endTornLine(file: DiskFile): Promise<void> {
    if (this.#size === 0) return
    const last = await file.read(this.#size - 1, 1)
    if (last[0] === newline) return
    await file.write(this.#size, [Uint8Array.of(newline)])
    this.#size += 1
  }

  async #putAside(): Promise<void> {
    const { disk } = this.#world
    await this.#file?.close()
    this.#file = undefined
    await disk.remove(`${this.#path}.${this.#filesMax}`)
    const kept = new Set(await disk.list(folderOf(this.#path)))
    for (let i = this.#filesMax - 1; i >= 1; i--) {
      if (kept.has(`${nameOf(this.#path)}.${i}`))
        await disk.rename(`${this.#path}.${i}`, `${this.#path}.${i + 1}`)
    }
    await disk.rename(this.#path, `${this.#path}.1`)
  }
}

const newline = 10
/** Not the keys of the store: which ones an action concerned is what the log is for. */
const secretField = /password|secret|token|credential|(node|private|shared)key$/i
const textMax = 256

/** An argument as the audit log may show it: without what could be a secret, and not long. */
export function withoutSecrets(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return value.length > textMax ? `${value.slice(0, textMax)}...` : value
  if (value instanceof Uint8Array) return `${value.byteLength} bytes`
  if (typeof value !== 'object' || value === null) return value
  if (depth >= 4) return '...'
  if (Array.isArray(value)) return value.slice(0, 16).map((item) => withoutSecrets(item, depth + 1))
  return Object.fromEntries(
    Object.entries(value)
      .slice(0, 32)
      .map(([name, item]) => [
        name,
        secretField.test(name) ? '(not shown)' : withoutSecrets(item, depth + 1),
      ]),
  )
}

function lineIn(text: string): AuditLine[] {
  try {
    return [JSON.parse(text) as AuditLine]
  } catch {
    return []
  }
}

function folderOf(path: string): string {
  const slash = path.lastIndexOf('/')
  return slash < 0 ? '.' : path.slice(0, slash)
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

function unwritable(cause: unknown): AlthingError {
  if (cause instanceof AlthingError && cause.details?.['auditLog'] === true) return cause
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new AlthingError('unavailable', `the audit log cannot be written, so nothing is done: ${reason}`, {
    outcome: 'none',
    cause,
    retryable: false,
    details: { auditLog: true },
  })
}
