import { AlthingError } from '../../contracts/errors.ts'
import type { Disk, DiskFile, World } from '../../contracts/world.ts'

interface Inode {
  bytes: Buffer
  /** As of the last sync; what a crash that loses unsynced writes leaves. */
  durable: Buffer
  underWay: { readonly start: number; readonly end: number }[]
}

/** How the write that is under way when the node dies reaches the disk. */
export type Tear = (written: Buffer, before: Buffer, offset: number) => Buffer

export interface Crash {
  /** The write, rename, removal or sync with this number (from 1) is the last thing that the node does. */
  readonly atOperation: number
  readonly tear: Tear
  /** Whether unsynced writes, and unsynced changes of the folder, are lost. */
  readonly losesUnsynced: boolean
}

/** A disk in memory that can die in the middle of a write, or fail. For tests. */
export class FaultDisk implements Disk {
  readonly names = new Map<string, Inode>()
  durableNames = new Map<string, Inode>()
  crash: Crash | undefined
  /** Called before each change; what it throws is the system's error. */
  fault: ((operation: string, path: string) => void) | undefined
  /** Every durable write in order: path, offset, length. */
  readonly durableWrites: { path: string; offset: number; length: number }[] = []
  /** Writes that were begun while another to the same bytes was under way: nobody can say which of them comes last. */
  readonly overlaps: string[] = []
  /** What a durable write of that length waits for, besides. */
  delay: ((length: number) => Promise<void>) | undefined
  /** What the system says is free. */
  free: number | undefined
  operations = 0
  isDead = false

  constructor(names: ReadonlyMap<string, Buffer> = new Map()) {
    for (const [path, content] of names) {
      const inode = { bytes: Buffer.from(content), durable: Buffer.from(content), underWay: [] }
      this.names.set(path, inode)
      this.durableNames.set(path, inode)
    }
  }

  /** The files as a restarted node finds them. */
  afterCrash(): Map<string, Buffer> {
    const loses = this.crash?.losesUnsynced ?? false
    const names = loses ? this.durableNames : this.names
    return new Map(
      [...names].map(([path, inode]) => [path, Buffer.from(loses ? inode.durable : inode.bytes)]),
    )
  }

  files(): Map<string, Buffer> {
    return new Map([...this.names].map(([path, inode]) => [path, Buffer.from(inode.bytes)]))
  }

  /** Resolves to whether this operation is the one in which the node dies. */
  async change(operation: string, path: string): Promise<boolean> {
    this.operations++
    const dies = this.crash !== undefined && this.operations === this.crash.atOperation
    await Promise.resolve()
    if (this.isDead) return never()
    if (dies) this.isDead = true
    this.fault?.(operation, path)
    return dies
  }

  async open(path: string, options: { readonly create?: boolean } = {}): Promise<DiskFile> {
    if (this.isDead) return never()
    let inode = this.names.get(path)
    if (inode === undefined) {
      if (options.create !== true) throw new AlthingError('not-found', path)
      inode = { bytes: Buffer.alloc(0), durable: Buffer.alloc(0), underWay: [] }
      this.names.set(path, inode)
    }
    return new FaultFile(this, path, inode)
  }

  async read(path: string): Promise<Uint8Array> {
    const inode = this.names.get(path)
    if (inode === undefined) throw new AlthingError('not-found', path)
    return Buffer.from(inode.bytes)
  }

  async list(directory: string): Promise<string[]> {
    const prefix = `${directory}/`
    const below = [...this.names.keys()].filter((path) => path.startsWith(prefix))
    return [...new Set(below.map((path) => path.slice(prefix.length).split('/')[0] as string))].sort()
  }

  async makeDirectory(): Promise<void> {}

  async rename(from: string, to: string): Promise<void> {
    if (await this.change('rename', from)) return never()
    const inode = this.names.get(from)
    if (inode === undefined) throw new AlthingError('not-found', from)
    this.names.delete(from)
    this.names.set(to, inode)
  }

  async remove(path: string): Promise<void> {
    if (await this.change('remove', path)) return never()
    this.names.delete(path)
  }

  async syncDirectory(path: string): Promise<void> {
    if (await this.change('syncDirectory', path)) return never()
    const isIn = (name: string): boolean => name.slice(0, name.lastIndexOf('/')) === path
    const others = [...this.durableNames].filter(([name]) => !isIn(name))
    this.durableNames = new Map([...others, ...[...this.names].filter(([name]) => isIn(name))])
  }

  async freeBytes(): Promise<number | undefined> {
    return this.free
  }

  async lock(): Promise<{ release(): Promise<void> }> {
    return { release: async () => {} }
  }
}

class FaultFile implements DiskFile {
  readonly #disk: FaultDisk
  readonly #path: string
  readonly #inode: Inode

  constructor(disk: FaultDisk, path: string, inode: Inode) {
    this.#disk = disk
    this.#path = path
    this.#inode = inode
  }

  async size(): Promise<number> {
    return this.#inode.bytes.length
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    return Buffer.from(this.#inode.bytes.subarray(offset, offset + length))
  }

  async write(offset: number, chunks: readonly Uint8Array[]): Promise<void> {
    await this.#write('write', offset, chunks)
  }

  async writeDurably(offset: number, chunks: readonly Uint8Array[]): Promise<void> {
    const bytes = Buffer.concat(chunks)
    await this.#alone(offset, bytes.length, async () => {
      await this.#disk.delay?.(bytes.length)
      await this.#write('writeDurably', offset, [bytes])
    })
    this.#disk.durableWrites.push({ path: this.#path, offset, length: bytes.length })
    this.#inode.durable = Buffer.from(this.#inode.bytes)
  }

  async sync(): Promise<void> {
    if (await this.#disk.change('sync', this.#path)) return never()
    this.#inode.durable = Buffer.from(this.#inode.bytes)
  }

  async truncate(size: number): Promise<void> {
    if (await this.#disk.change('truncate', this.#path)) return never()
    const bytes = Buffer.alloc(size)
    this.#inode.bytes.copy(bytes)
    this.#inode.bytes = bytes
  }

  async close(): Promise<void> {}

  async #alone(offset: number, length: number, write: () => Promise<void>): Promise<void> {
    const range = { start: offset, end: offset + length }
    const other = this.#inode.underWay.find(({ start, end }) => start < range.end && end > range.start)
    if (other !== undefined)
      this.#disk.overlaps.push(`${this.#path}: ${range.start}..${range.end} and ${other.start}..${other.end}`)
    this.#inode.underWay.push(range)
    try {
      await write()
    } finally {
      this.#inode.underWay = this.#inode.underWay.filter((each) => each !== range)
    }
  }

  async #write(operation: string, offset: number, chunks: readonly Uint8Array[]): Promise<void> {
    const written = Buffer.concat(chunks)
    const dies = await this.#disk.change(operation, this.#path)
    const end = Math.max(this.#inode.bytes.length, offset + written.length)
    const bytes = Buffer.alloc(end)
    this.#inode.bytes.copy(bytes)
    const before = Buffer.from(bytes.subarray(offset, offset + written.length))
    const torn = dies ? (this.#disk.crash as Crash).tear(written, before, offset) : written
    torn.copy(bytes, offset)
    this.#inode.bytes = bytes
    if (!dies) return
    if (operation === 'writeDurably') this.#inode.durable = Buffer.from(bytes)
    return never()
  }
}

/** A dead process gets no answer. */
function never<T>(): Promise<T> {
  return new Promise(() => {})
}

export interface LogLine {
  readonly level: string
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

/** As much of a world as storage asks for. */
export function worldWithDisk(disk: Disk, lines: LogLine[] = []): World {
  const logger: World['logger'] = {
    log: (level, message, fields = {}) => {
      lines.push({ level, message, fields })
    },
  }
  return { disk, logger } as World
}

/** The first `count` bytes arrive. */
export function tearAfter(count: number): Tear {
  return (written, before) => Buffer.concat([written.subarray(0, count), before.subarray(count)])
}

/** Each sector arrives or not, by the bits of `pattern`, which repeats. */
export function tearSectors(pattern: number): Tear {
  return (written, before, offset) => {
    const torn = Buffer.from(before)
    for (let i = 0; i < written.length; i++) {
      const sector = Math.floor((offset + i) / 512)
      if ((pattern >>> (sector % 31)) & 1) torn[i] = written[i] as number
    }
    return torn
  }
}
