import { AlthingError, invalidArgument } from '../../contracts/errors.ts'
import type { Disk, DiskFile } from '../../contracts/world.ts'
import { diskError } from './disk-error.ts'
import { FileContent } from './file-content.ts'
import { folderOf, normalizePath } from './file-names.ts'
import { OpenFile } from './open-file.ts'
import type { DiskOperation, SimulatedDisk } from './simulated-disk.ts'
import type { SimulatedLoop } from './simulated-loop.ts'

/** The disk as one loop of a process sees it. */
export class DiskPort implements Disk {
  readonly #loop: SimulatedLoop
  readonly #disk: SimulatedDisk
  readonly #holder: string

  constructor(loop: SimulatedLoop, disk: SimulatedDisk, holder: string) {
    this.#loop = loop
    this.#disk = disk
    this.#holder = holder
    loop.onEnd(() => disk.abandon(loop))
  }

  open(path: string, options: { readonly create?: boolean } = {}): Promise<DiskFile> {
    return this.#submit('names', path, (normal) => {
      const entry = this.#disk.names.get(normal)
      if (entry === 'folder') throw diskError('EISDIR', 'open', path)
      const content = entry ?? this.#create(normal, options.create === true)
      return new OpenFile(this.#loop, this.#disk, normal, content)
    })
  }

  read(path: string): Promise<Uint8Array> {
    return this.#submit('read', path, (normal) => {
      const content = this.#disk.names.get(normal)
      if (content === undefined) throw diskError('ENOENT', 'read', path)
      if (content === 'folder') throw diskError('EISDIR', 'read', path)
      if (this.#disk.drawFailure('read')) throw this.#disk.failure('EIO', 'read', path)
      return content.read(0, content.size)
    })
  }

  list(directory: string): Promise<string[]> {
    return this.#submit('names', directory, (normal) => this.#disk.names.list(normal))
  }

  makeDirectory(path: string): Promise<void> {
    return this.#submit('names', path, (normal) => {
      let folder = ''
      for (const part of normal === '' ? [] : normal.split('/')) {
        folder = folder === '' ? part : `${folder}/${part}`
        this.#makeFolder(folder)
      }
    })
  }

  rename(from: string, to: string): Promise<void> {
    return this.#submit('names', from, (normal) => {
      const target = this.#normalize(to)
      const entry = this.#disk.names.get(normal)
      if (entry === undefined) throw diskError('ENOENT', 'rename', from)
      if (this.#disk.names.get(folderOf(target)) !== 'folder') throw diskError('ENOENT', 'rename', to)
      if (normal !== target) this.#disk.names.rename(normal, target, entry)
    })
  }

  remove(path: string): Promise<void> {
    return this.#submit('names', path, (normal) => this.#disk.names.remove(normal))
  }

  freeBytes(directory: string): Promise<number | undefined> {
    return this.#submit('names', directory, () => this.#disk.freeBytes)
  }

  syncDirectory(path: string): Promise<void> {
    return this.#submit('sync', path, (normal) => {
      if (this.#disk.names.get(normal) !== 'folder') throw diskError('ENOENT', 'fsync', path)
      if (this.#disk.drawFailure('sync')) throw this.#disk.failure('EIO', 'fsync', path)
      this.#disk.names.syncFolder(normal)
    })
  }

  lock(directory: string): Promise<{ release(): Promise<void> }> {
    return this.#submit('names', directory, (normal) => {
      const present = this.#disk.takeLock(normal, this.#holder)
      if (present !== undefined) {
        throw new AlthingError('conflict', `the folder '${directory}' is held by ${present}`, {
          outcome: 'none',
          details: { holder: present },
        })
      }
      return this.#createLock(normal)
    })
  }

  #createLock(folder: string): { release(): Promise<void> } {
    let isHeld = true
    const free = (): void => {
      if (isHeld) this.#disk.freeLock(folder)
      isHeld = false
    }
    const forget = this.#loop.onEnd(free)
    return {
      release: () =>
        this.#submit('names', folder, () => {
          forget()
          free()
        }),
    }
  }

  #create(path: string, isAllowed: boolean): FileContent {
    const isPossible = isAllowed && this.#disk.names.get(folderOf(path)) === 'folder'
    if (!isPossible) throw diskError('ENOENT', 'open', path)
    if (!this.#disk.hasRoom(0)) throw this.#disk.failure('ENOSPC', 'open', path)
    const content = new FileContent()
    this.#disk.names.create(path, content)
    return content
  }

  #makeFolder(folder: string): void {
    const entry = this.#disk.names.get(folder)
    if (entry === 'folder') return
    if (entry !== undefined) throw diskError('ENOTDIR', 'mkdir', folder)
    if (!this.#disk.hasRoom(0)) throw this.#disk.failure('ENOSPC', 'mkdir', folder)
    this.#disk.names.create(folder, 'folder')
  }

  async #submit<T>(operation: DiskOperation, path: string, effect: (normal: string) => T): Promise<T> {
    const normal = this.#normalize(path)
    return this.#disk.submit(this.#loop, {
      operation,
      byteCount: 0,
      path: normal,
      effect: () => effect(normal),
    })
  }

  #normalize(path: string): string {
    const normal = normalizePath(path)
    if (normal === undefined) throw invalidArgument('path', path, 'a relative path within the data folder')
    return normal
  }
}
