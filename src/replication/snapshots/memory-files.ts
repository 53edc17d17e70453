import { AlthingError } from '../../contracts/errors.ts'
import type { Disk, DiskFile } from '../../contracts/world.ts'

/** Files that live as long as the object: what `memory:` keeps its snapshots in. Nothing is durable, and nothing fails. */
export class MemoryFiles implements Disk {
  readonly #files = new Map<string, MemoryContent>()

  async open(path: string, options: { readonly create?: boolean } = {}): Promise<DiskFile> {
    let content = this.#files.get(path)
    if (content === undefined) {
      if (options.create !== true) throw notFound(path)
      content = { bytes: Buffer.alloc(0), size: 0 }
      this.#files.set(path, content)
    }
    return new MemoryFile(content)
  }

  async read(path: string): Promise<Uint8Array> {
    const content = this.#files.get(path)
    if (content === undefined) throw notFound(path)
    return Uint8Array.from(content.bytes.subarray(0, content.size))
  }

  async list(directory: string): Promise<string[]> {
    const prefix = `${directory}/`
    const paths = [...this.#files.keys()].filter((path) => path.startsWith(prefix))
    return paths.map((path) => path.slice(prefix.length)).sort()
  }

  async makeDirectory(): Promise<void> {}

  async rename(from: string, to: string): Promise<void> {
    const content = this.#files.get(from)
    if (content === undefined) throw notFound(from)
    this.#files.delete(from)
    this.#files.set(to, content)
  }

  async remove(path: string): Promise<void> {
    this.#files.delete(path)
  }

  async syncDirectory(): Promise<void> {}

  async freeBytes(): Promise<number | undefined> {
    return undefined
  }

  async lock(): Promise<{ release(): Promise<void> }> {
    return { release: async () => {} }
  }
}

interface MemoryContent {
  /** Grows by doubling; beyond `size` it is zero. */
  bytes: Buffer
  size: number
}

class MemoryFile implements DiskFile {
  readonly #content: MemoryContent

  constructor(content: MemoryContent) {
    this.#content = content
  }

  async size(): Promise<number> {
    return this.#content.size
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const { bytes, size } = this.#content
    return Uint8Array.from(bytes.subarray(Math.min(offset, size), Math.min(offset + length, size)))
  }

  async write(offset: number, chunks: readonly Uint8Array[]): Promise<void> {
    let at = offset
    for (const chunk of chunks) {
      this.#resize(Math.max(this.#content.size, at + chunk.byteLength))
      this.#content.bytes.set(chunk, at)
      at += chunk.byteLength
    }
  }

  writeDurably(offset: number, chunks: readonly Uint8Array[]): Promise<void> {
    return this.write(offset, chunks)
  }

  async sync(): Promise<void> {}

  async truncate(size: number): Promise<void> {
    if (size < this.#content.size) this.#content.bytes.fill(0, size, this.#content.size)
    this.#resize(size)
  }

  async close(): Promise<void> {}

  #resize(size: number): void {
    if (size > this.#content.bytes.length) {
      const bytes = Buffer.alloc(Math.max(size, 2 * this.#content.bytes.length))
      this.#content.bytes.copy(bytes)
      this.#content.bytes = bytes
    }
    this.#content.size = size
  }
}

function notFound(path: string): AlthingError {
  return new AlthingError('not-found', `${path} does not exist`)
}
