import * as fs from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { open } from 'node:fs/promises'
import { AlthingError } from '../contracts/errors.ts'
import type { DiskFile } from '../contracts/world.ts'

/** macOS's O_DSYNC does not flush the drive's own cache; its fdatasync (F_FULLFSYNC) does. */
const hasDurableOpen = process.platform !== 'darwin' && typeof fs.constants.O_DSYNC === 'number'

export class NodeFile implements DiskFile {
  readonly #path: string
  readonly #handle: FileHandle
  readonly #durable: FileHandle | undefined
  /** Counts plain writes; those up to `#syncedWrites` are durable. */
  #writes = 0
  #syncedWrites = 0
  #closing: Promise<void> | undefined

  private constructor(path: string, handle: FileHandle, durable: FileHandle | undefined) {
    this.#path = path
    this.#handle = handle
    this.#durable = durable
  }

  /** Both descriptors are opened now: later the path may be another file's. */
  static async open(path: string, flags: number): Promise<NodeFile> {
    const handle = await open(path, flags, 0o600)
    if (!hasDurableOpen) return new NodeFile(path, handle, undefined)
    try {
      return new NodeFile(path, handle, await open(path, fs.constants.O_RDWR | fs.constants.O_DSYNC))
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  size(): Promise<number> {
    return this.#translated(async () => (await this.#handle.stat()).size)
  }

  read(offset: number, length: number): Promise<Uint8Array> {
    return this.#translated(async () => {
      const bytes = Buffer.allocUnsafe(
        Math.max(0, Math.min(length, (await this.#handle.stat()).size - offset)),
      )
      let done = 0
      while (done < bytes.length) {
        const { bytesRead } = await this.#handle.read(bytes, done, bytes.length - done, offset + done)
        if (bytesRead === 0) break
        done += bytesRead
      }
      return bytes.subarray(0, done)
    })
  }

  write(offset: number, chunks: readonly Uint8Array[]): Promise<void> {
    this.#writes++
    return this.#translated(() => writeAll(this.#handle.fd, offset, chunks))
  }

  writeDurably(offset: number, chunks: readonly Uint8Array[]): Promise<void> {
    // The descriptor with O_DSYNC makes only its own bytes durable, but plain writes before it are promised too.
    const durable = this.#durable
    if (durable === undefined || this.#writes > this.#syncedWrites) return this.#writeAndSync(offset, chunks)
    return this.#translated(() => writeAll(durable.fd, offset, chunks))
  }

  async sync(): Promise<void> {
    const covered = this.#writes
    await this.#translated(() => this.#handle.datasync())
    this.#syncedWrites = Math.max(this.#syncedWrites, covered)
  }

  truncate(size: number): Promise<void> {
    this.#writes++
    return this.#translated(() => this.#handle.truncate(size))
  }

  close(): Promise<void> {
    this.#closing ??= this.#translated(async () => {
      await this.#durable?.close()
      await this.#handle.close()
    })
    return this.#closing
  }

  async #writeAndSync(offset: number, chunks: readonly Uint8Array[]): Promise<void> {
    await this.write(offset, chunks)
    await this.sync()
  }

  async #translated<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call()
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new AlthingError('disk-failed', `${this.#path}: ${reason}`, { cause: error })
    }
  }
}

/** The system may take a part only (a signal, a nearly full disk): the rest is offered again. */
async function writeAll(fd: number, offset: number, chunks: readonly Uint8Array[]): Promise<void> {
  let rest = chunks.filter((chunk) => chunk.byteLength > 0)
  let at = offset
  while (rest.length > 0) {
    const written = await writeSome(fd, at, rest)
    at += written
    rest = without(rest, written)
  }
}

/** More buffers in one call than this are refused by the system. */
const buffersMax = 1024

function writeSome(fd: number, offset: number, chunks: readonly Uint8Array[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, written: number) => (error === null ? resolve(written) : reject(error))
    const only = chunks.length === 1 ? chunks[0] : undefined
    if (only !== undefined) fs.write(fd, only, 0, only.byteLength, offset, done)
    else fs.writev(fd, chunks.slice(0, buffersMax), offset, done)
  })
}

function without(chunks: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let left = bytes
  let first = 0
  for (const chunk of chunks) {
    if (chunk.byteLength > left) break
    left -= chunk.byteLength
    first++
  }
  const rest = chunks.slice(first)
  if (left > 0 && rest[0] !== undefined) rest[0] = rest[0].subarray(left)
  return rest
}
