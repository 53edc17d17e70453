import { AlthingError } from '../../src/contracts/errors.ts'
import type { Disk, DiskFile } from '../../src/contracts/world.ts'

/** Files by their paths. */
export type DiskImage = ReadonlyMap<string, Buffer>

/** Never changed in place: an image is shared by many disks. */
interface Inode {
  content: Buffer
}

/** A disk in memory that starts from an image: as fast as a disk can be, so that millions of damaged folders can be opened. */
export class MemoryDisk implements Disk {
  readonly #files: Map<string, Inode>

  constructor(image: DiskImage = new Map()) {
    this.#files = new Map([...image].map(([path, content]) => [path, { content }]))
  }

  get image(): DiskImage {
    return new Map([...this.#files].map(([path, { content }]) => [path, content]))
  }

  put(path: string, content: Buffer): void {
    this.#files.set(path, { content })
  }

  async open(path: string, options: { readonly create?: boolean } = {}): Promise<DiskFile> {
    if (options.create === true && !this.#files.has(path)) this.put(path, Buffer.alloc(0))
    return new MemoryDiskFile(this.#inode(path))
  }

  async read(path: string): Promise<Uint8Array> {
    return Buffer.from(this.#inode(path).content)
  }

  async list(directory: string): Promise<string[]> {
    const prefix = `${directory}/`
    const inside = [...this.#files.keys()].filter((path) => path.startsWith(prefix))
    const names = inside.map((path) => path.slice(prefix.length).split('/')[0] as string)
    return [...new Set(names)].sort()
  }

  async makeDirectory(): Promise<void> {}

  async rename(from: string, to: string): Promise<void> {
    const inode = this.#inode(from)
    this.#files.delete(from)
    this.#files.set(to, inode)
  }

  async remove(path: string): Promise<void> {
    this.#files.delete(path)
    for (const each of [...this.#files.keys()]) if (each.startsWith(`${path}/`)) this.#files.delete(each)
  }

  async syncDirectory(): Promise<void> {}

  async freeBytes(): Promise<undefined> {}

  async lock(): Promise<{ release(): Promise<void> }> {
    return { release: async () => {} }
  }

  #inode(path: string): Inode {
    const inode = this.#files.get(path)
    if (inode === undefined) throw new AlthingError('not-found', `${path} does not exist`)
    return inode
  }
}

/** Goes on when the file is renamed or removed, as a file that is open does. */
class MemoryDiskFile implements DiskFile {
  readonly #inode: Inode

  constructor(inode: Inode) {
    this.#inode = inode
  }

  async size(): Promise<number> {
    return this.#inode.content.length
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    return Buffer.from(this.#inode.content.subarray(offset, offset + length))
  }

  async write(offset: number, chunks: readonly Uint8Array[]): Promise<void> {
    const before = this.#inode.content
    const written = Buffer.concat(chunks)
    const after = Buffer.alloc(Math.max(before.length, offset + written.length))
    before.copy(after)
    written.copy(after, offset)
    this.#inode.content = after
  }

  writeDurably(offset: number, chunks: readonly Uint8Array[]): Promise<void> {
    return this.write(offset, chunks)
  }

  async sync(): Promise<void> {}

  async truncate(size: number): Promise<void> {
    const after = Buffer.alloc(size)
    this.#inode.content.copy(after)
    this.#inode.content = after
  }

  async close(): Promise<void> {}
}
