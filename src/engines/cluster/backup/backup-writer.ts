import { createHash, type Hash } from 'node:crypto'
import {
  type BackupEnd,
  type BackupGroup,
  type BackupGroupEnd,
  backupHead,
  type BackupManifest,
  blockChecksum,
  blockHead,
  type BlockKind,
  blockKinds,
  jsonBytes,
} from './backup-format.ts'

/** Turns the parts of a backup, given in their order, into its bytes. */
export class BackupWriter {
  readonly #digest = createHash('sha256')
  #group: { readonly digest: Hash; bytes: number } | undefined
  #blocks = 0
  #groups = 0
  #bytes = 0
  #checksum = 0

  /** Bytes handed out so far. */
  get bytes(): number {
    return this.#bytes
  }

  begin(manifest: BackupManifest): Uint8Array[] {
    return [...this.#count([backupHead()]), ...this.#block(blockKinds.manifest, jsonBytes(manifest))]
  }

  beginGroup(group: BackupGroup): Uint8Array[] {
    this.#group = { digest: createHash('sha256'), bytes: 0 }
    this.#groups++
    return this.#block(blockKinds.group, jsonBytes(group))
  }

  data(data: Uint8Array): Uint8Array[] {
    const group = this.#openGroup()
    group.digest.update(data)
    group.bytes += data.byteLength
    return this.#block(blockKinds.data, data)
  }

  endGroup(): Uint8Array[] {
    const { digest, bytes } = this.#openGroup()
    this.#group = undefined
    const end: BackupGroupEnd = { bytes, sha256: digest.digest('hex') }
    return this.#block(blockKinds.groupEnd, jsonBytes(end))
  }

  end(): Uint8Array[] {
    const end: BackupEnd = {
      groups: this.#groups,
      bytes: this.#bytes,
      sha256: this.#digest.copy().digest('hex'),
    }
    return this.#block(blockKinds.end, jsonBytes(end))
  }

  #openGroup(): { readonly digest: Hash; bytes: number } {
    if (this.#group === undefined) throw new Error('data of a backup belongs to a group that was begun')
    return this.#group
  }

  #block(kind: BlockKind, data: Uint8Array): Uint8Array[] {
    this.#checksum = blockChecksum(this.#blocks++, kind, data, this.#checksum)
    return this.#count([blockHead(kind, data, this.#checksum), data])
  }

  #count(parts: Uint8Array[]): Uint8Array[] {
    for (const part of parts) {
      this.#digest.update(part)
      this.#bytes += part.byteLength
    }
    return parts
  }
}
