import type { DiskFile } from '../../contracts/world.ts'
import { diskError } from './disk-error.ts'
import type { FileContent, SyncTicket } from './file-content.ts'
import type { DiskOperation, SimulatedDisk, Submission } from './simulated-disk.ts'
import type { SimulatedLoop } from './simulated-loop.ts'

/** A file opened by one loop. The content outlives the handle, and the name. */
export class OpenFile implements DiskFile {
  readonly #loop: SimulatedLoop
  readonly #disk: SimulatedDisk
  readonly #path: string
  readonly #content: FileContent
  #isClosed = false

  constructor(loop: SimulatedLoop, disk: SimulatedDisk, path: string, content: FileContent) {
    this.#loop = loop
    this.#disk = disk
    this.#path = path
    this.#content = content
  }

  size(): Promise<number> {
    return this.#submit({ operation: 'names', byteCount: 0, effect: () => this.#content.size })
  }

  read(offset: number, length: number): Promise<Uint8Array> {
    const effect = (): Uint8Array => {
      if (this.#disk.drawFailure('read')) throw this.#disk.failure('EIO', 'read', this.#path)
      return this.#content.read(offset, length)
    }
    return this.#submit({ operation: 'read', byteCount: length, effect })
  }

  write(offset: number, chunks: readonly Uint8Array[]): Promise<void> {
    return this.#submit({
      operation: 'write',
      byteCount: byteCountOf(chunks),
      effect: () => this.#write(offset, chunks),
      interrupt: () => this.#writePart(offset, chunks),
    })
  }

  writeDurably(offset: number, chunks: readonly Uint8Array[]): Promise<void> {
    return this.#submit({
      operation: 'sync',
      byteCount: byteCountOf(chunks),
      effect: () => {
        this.#write(offset, chunks)
        this.#finishSync(this.#content.beginSync())
      },
      interrupt: () => this.#writePart(offset, chunks),
    })
  }

  async sync(): Promise<void> {
    if (this.#isClosed || this.#loop.isEnded)
      return this.#submit({ operation: 'sync', byteCount: 0, effect() {} })
    const ticket = this.#content.beginSync()
    return this.#submit({
      operation: 'sync',
      byteCount: 0,
      effect: () => this.#finishSync(ticket),
      interrupt: (random) =>
        random.chance(0.5) ? this.#content.completeSync(ticket) : this.#content.abortSync(ticket),
    })
  }

  truncate(size: number): Promise<void> {
    return this.#submit({
      operation: 'write',
      byteCount: 0,
      effect: () => {
        if (size > this.#content.size) this.#requireRoom(size - this.#content.size)
        if (this.#disk.drawFailure('write')) throw this.#disk.failure('EIO', 'ftruncate', this.#path)
        this.#content.truncate(size)
      },
    })
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    await this.#submit({ operation: 'names', byteCount: 0, effect() {} })
    this.#isClosed = true
  }

  #write(offset: number, chunks: readonly Uint8Array[]): void {
    const byteCount = byteCountOf(chunks)
    const growth = Math.max(0, offset + byteCount - this.#content.size)
    if (growth > 0 && !this.#disk.hasRoom(growth)) {
      // What lies within the file has its blocks already.
      this.#put(offset, chunks, byteCount - Math.min(growth, byteCount))
      throw this.#disk.failure('ENOSPC', 'write', this.#path)
    }
    if (this.#disk.drawFailure('write')) {
      this.#writePart(offset, chunks)
      throw this.#disk.failure('EIO', 'write', this.#path)
    }
    this.#put(offset, chunks, byteCount)
  }

  #writePart(offset: number, chunks: readonly Uint8Array[]): void {
    const byteCount = byteCountOf(chunks)
    const growth = Math.max(0, offset + byteCount - this.#content.size)
    if (growth === 0 || this.#disk.hasRoom(growth)) this.#put(offset, chunks, this.#disk.drawPart(byteCount))
  }

  #put(offset: number, chunks: readonly Uint8Array[], byteCount: number): void {
    let position = 0
    for (const chunk of chunks) {
      const part = chunk.subarray(0, byteCount - position)
      this.#content.write(offset + position, part)
      position += part.byteLength
      if (position >= byteCount) return
    }
  }

  #finishSync(ticket: SyncTicket): void {
    if (!this.#disk.drawFailure('sync')) return this.#content.completeSync(ticket)
    this.#content.failSync(ticket, this.#disk.random)
    throw this.#disk.failure('EIO', 'fdatasync', this.#path)
  }

  #requireRoom(growth: number): void {
    if (!this.#disk.hasRoom(growth)) throw this.#disk.failure('ENOSPC', 'ftruncate', this.#path)
  }

  async #submit<T>(submission: Omit<Submission<T>, 'path'> & { operation: DiskOperation }): Promise<T> {
    if (this.#isClosed) throw diskError('EBADF', submission.operation, this.#path)
    return this.#disk.submit(this.#loop, { ...submission, path: this.#path })
  }
}

function byteCountOf(chunks: readonly Uint8Array[]): number {
  let sum = 0
  for (const chunk of chunks) sum += chunk.byteLength
  return sum
}
