import type { CrashRule, FileContent } from './file-content.ts'
import type { SeededRandom } from './seeded-random.ts'

/** What a name stands for: a file, or a folder. */
export type Entry = FileContent | 'folder'

type NameChange =
  | { readonly kind: 'create'; readonly path: string; readonly entry: Entry }
  | { readonly kind: 'remove'; readonly path: string }
  | { readonly kind: 'rename'; readonly path: string; readonly to: string; readonly entry: Entry }

/**
 * The names on a disk, twice: as the program sees them and as they survive a loss of power. A change of names becomes durable
 * by the sync of its folder, or when a crash happens to have kept it; changes are kept in order, as by a file system with a journal.
 */
export class FileNames {
  #seen = new Map<string, Entry>()
  readonly #durable = new Map<string, Entry>()
  #pending: NameChange[] = []

  get hasUnsynced(): boolean {
    return this.#pending.length > 0
  }

  get(path: string): Entry | undefined {
    return path === '' ? 'folder' : this.#seen.get(path)
  }

  /** All files, with their paths, in order of path. */
  files(): [string, FileContent][] {
    const found: [string, FileContent][] = []
    for (const [path, entry] of this.#seen) if (entry !== 'folder') found.push([path, entry])
    return found.sort((a, b) => (a[0] < b[0] ? -1 : 1))
  }

  list(folder: string): string[] {
    const names: string[] = []
    for (const path of this.#seen.keys()) if (folderOf(path) === folder) names.push(nameOf(path))
    return names.sort()
  }

  create(path: string, entry: Entry): void {
    this.#change({ kind: 'create', path, entry })
  }

  remove(path: string): void {
    if (this.#seen.has(path)) this.#change({ kind: 'remove', path })
  }

  rename(path: string, to: string, entry: Entry): void {
    this.#change({ kind: 'rename', path, to, entry })
  }

  /** Makes durable the changes in `folder`, and the earlier ones of other folders that they rest on. */
  syncFolder(folder: string): void {
    const kept: NameChange[] = []
    const synced: NameChange[] = []
    const needed = new Set<string>()
    for (const change of this.#pending.toReversed()) {
      const paths = pathsOf(change)
      const isNeeded = paths.some((path) => folderOf(path) === folder || needed.has(path))
      if (isNeeded) for (const path of paths) needed.add(path)
      ;(isNeeded ? synced : kept).push(change)
    }
    for (const change of synced.reverse()) apply(change, this.#durable)
    this.#pending = kept.reverse()
  }

  /** Returns how many changes were lost. */
  losePower(rule: CrashRule, random: SeededRandom): number {
    const pendingCount = this.#pending.length
    const keptCount = rule === 'kept' ? pendingCount : rule === 'lost' ? 0 : random.integer(0, pendingCount)
    for (const change of this.#pending.slice(0, keptCount)) apply(change, this.#durable)
    this.#pending = []
    this.#dropOrphans()
    this.#seen = new Map(this.#durable)
    return pendingCount - keptCount
  }

  /** Forgets all names, durably: a new disk. */
  clear(): void {
    this.#seen.clear()
    this.#durable.clear()
    this.#pending = []
  }

  #change(change: NameChange): void {
    apply(change, this.#seen)
    this.#pending.push(change)
  }

  /** A folder that was lost takes what is in it along. */
  #dropOrphans(): void {
    const paths = [...this.#durable.keys()].sort((a, b) => a.length - b.length)
    for (const path of paths) {
      const folder = folderOf(path)
      if (folder !== '' && this.#durable.get(folder) !== 'folder') this.#durable.delete(path)
    }
  }
}

/** The path in its one form: no leading, trailing or doubled `/`, no `.`; `''` is the data folder. `undefined` when it leaves it. */
export function normalizePath(path: string): string | undefined {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.')
  return path.startsWith('/') || parts.includes('..') ? undefined : parts.join('/')
}

export function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

function pathsOf(change: NameChange): string[] {
  return change.kind === 'rename' ? [change.path, change.to] : [change.path]
}

function apply(change: NameChange, names: Map<string, Entry>): void {
  if (change.kind === 'create') {
    names.set(change.path, change.entry)
    return
  }
  names.delete(change.path)
  if (change.kind === 'rename') {
    names.set(change.to, change.entry)
    if (change.entry === 'folder') moveChildren(change.path, change.to, names)
  }
}

function moveChildren(from: string, to: string, names: Map<string, Entry>): void {
  for (const [path, entry] of [...names]) {
    if (!path.startsWith(`${from}/`)) continue
    names.delete(path)
    names.set(to + path.slice(from.length), entry)
  }
}
