import { createHash, type Hash } from 'node:crypto'
import { textFromBytes } from '../../../base/bytes.ts'
import { AlthingError } from '../../../contracts/errors.ts'
import {
  type BackupEnd,
  backupFormatVersion,
  type BackupGroup,
  type BackupGroupEnd,
  backupHeadBytes,
  backupMagic,
  type BackupManifest,
  blockBytesMax,
  blockChecksum,
  blockHeadBytes,
  blockKinds,
} from './backup-format.ts'
import { ByteSource } from './byte-source.ts'

export type BackupPart =
  | { readonly type: 'manifest'; readonly manifest: BackupManifest }
  | { readonly type: 'group'; readonly group: BackupGroup }
  /** Valid for as long as the caller wants: it is not written over. */
  | { readonly type: 'data'; readonly data: Uint8Array }
  | { readonly type: 'groupEnd'; readonly end: BackupGroupEnd }
  | { readonly type: 'end'; readonly end: BackupEnd }

/**
 * Reads a backup part by part and checks each as it comes: checksums, order, digests, and that it ends where it says. What was handed out before a rejection is sound,
 * but the backup is not whole until `end` has come. Rejects with `corrupt`, naming `name` and the offset, or `incompatible-peer` for a newer format.
 */
export async function* readBackup(
  source: AsyncIterable<Uint8Array>,
  name: string,
): AsyncGenerator<BackupPart, void, undefined> {
  const bytes = new ByteSource(source)
  const scan = new BackupScan(name)
  scan.head(await bytes.take(backupHeadBytes))
  while (!scan.isComplete) {
    const head = await bytes.take(blockHeadBytes)
    const data = await bytes.take(scan.dataLength(head))
    const part = scan.block(head, data)
    yield part
  }
  const rest = await bytes.take(1)
  if (rest.byteLength > 0) throw scan.corrupt('goes on after its end')
}

/** What has been read of a backup, and what may come next. */
class BackupScan {
  isComplete = false
  readonly #name: string
  readonly #digest = createHash('sha256')
  #offset = 0
  #number = 0
  #checksum = 0
  #last: number = 0
  #groups = 0
  #group: { readonly digest: Hash; bytes: number } | undefined

  constructor(name: string) {
    this.#name = name
  }

  corrupt(problem: string): AlthingError {
    return new AlthingError('corrupt', `${this.#name} at offset ${this.#offset}: ${problem}`, {
      details: { file: this.#name, offset: this.#offset },
    })
  }

  head(head: Buffer): void {
    if (head.length < backupHeadBytes || head.toString('latin1', 0, 8) !== backupMagic)
      throw this.corrupt('this is no backup of Althing')
    const version = head.readUInt32LE(8)
    if (version !== backupFormatVersion) {
      throw new AlthingError(
        'incompatible-peer',
        `${this.#name} has backup format ${version}, but this program reads ${backupFormatVersion}`,
      )
    }
    this.#digest.update(head)
    this.#offset = backupHeadBytes
  }

  dataLength(head: Buffer): number {
    if (head.length < blockHeadBytes) throw this.corrupt('the backup ends here, before its end: it is torn')
    const length = head.readUInt32LE(0)
    if (length > blockBytesMax) throw this.corrupt(`a block is said to have ${length} bytes`)
    return length
  }

  block(head: Buffer, data: Buffer): BackupPart {
    if (data.length < head.readUInt32LE(0)) throw this.corrupt('the backup ends within a block: it is torn')
    const kind = head.readUInt8(4)
    const checksum = blockChecksum(this.#number, kind, data, this.#checksum)
    if (checksum !== head.readUInt32LE(5)) throw this.corrupt('a block fails its checksum')
    const part = this.#part(kind, data)
    this.#digest.update(head)
    this.#digest.update(data)
    this.#number++
    this.#checksum = checksum
    this.#last = kind
    this.#offset += head.length + data.length
    return part
  }

  #part(kind: number, data: Buffer): BackupPart {
    if (!this.#mayCome(kind)) throw this.corrupt(`a block of kind ${kind} may not stand here`)
    switch (kind) {
      case blockKinds.manifest:
        return { type: 'manifest', manifest: this.#json(data) }
      case blockKinds.group:
        this.#groups++
        this.#group = { digest: createHash('sha256'), bytes: 0 }
        return { type: 'group', group: this.#json(data) }
      case blockKinds.data:
        this.#group?.digest.update(data)
        if (this.#group !== undefined) this.#group.bytes += data.length
        return { type: 'data', data }
      case blockKinds.groupEnd:
        return { type: 'groupEnd', end: this.#groupEnd(this.#json(data)) }
      default:
        return { type: 'end', end: this.#end(this.#json(data)) }
    }
  }

  #mayCome(kind: number): boolean {
    const { manifest, group, data, groupEnd, end } = blockKinds
    switch (this.#last) {
      case 0:
        return kind === manifest
      case manifest:
      case groupEnd:
        return kind === group || kind === end
      default:
        return kind === data || kind === groupEnd
    }
  }

  #groupEnd(end: BackupGroupEnd): BackupGroupEnd {
    const sha256 = this.#group?.digest.digest('hex')
    if (end.sha256 !== sha256 || end.bytes !== this.#group?.bytes)
      throw this.corrupt('the data of a group fails its digest')
    this.#group = undefined
    return end
  }

  #end(end: BackupEnd): BackupEnd {
    const isSound = end.sha256 === this.#digest.copy().digest('hex') && end.bytes === this.#offset
    if (!isSound || end.groups !== this.#groups) throw this.corrupt('the backup fails its digest')
    this.isComplete = true
    return end
  }

  #json<T>(data: Buffer): T {
    let value: unknown
    try {
      value = JSON.parse(textFromBytes(data))
    } catch {
      // Said below.
    }
    if (typeof value !== 'object' || value === null) throw this.corrupt('a block is no JSON object')
    return value as T
  }
}
