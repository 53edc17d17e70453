import { createHash } from 'node:crypto'
import { bytesFromText, textFromBytes } from '../../base/bytes.ts'
import { AlthingError, isAlthingError } from '../../contracts/errors.ts'
import type { Disk } from '../../contracts/world.ts'
import { type ConfigRecord, decodeRecord } from './config-record.ts'

/** What a reader ran last, as the store had it: secrets are sealed in it. */
export interface LocalCopy {
  readonly service: string
  readonly records: { readonly global: ConfigRecord | undefined; readonly service: ConfigRecord | undefined }
  /** When the store last confirmed it, by this machine's clock. */
  readonly confirmedAtMs: number
}

const head = 'althing config copy 1 '

/**
 * A file: `althing config copy 1 SHA256` and, on the next line, JSON. Written beside and renamed, so that at each moment it is the old one whole or the new one whole. A file that is damaged all the same is refused by its
 * checksum.
 */
export class LocalCopyFile {
  readonly #disk: Disk
  readonly #path: string
  #writing: Promise<void> = Promise.resolve()
  #next: LocalCopy | undefined

  constructor(disk: Disk, path: string) {
    this.#disk = disk
    this.#path = path
  }

  /** `undefined` when there is none. Rejects with `corrupt`, naming the file, when it is damaged or another service's. */
  async read(service: string): Promise<LocalCopy | undefined> {
    let bytes: Uint8Array
    try {
      bytes = await this.#disk.read(this.#path)
    } catch (error) {
      if (isAlthingError(error, 'not-found')) return undefined
      throw error
    }
    const copy = this.#decode(bytes)
    if (copy.service !== service) throw this.#damaged(`it is that of ${copy.service}`)
    return copy
  }

  /** Returns at once. Of several copies that wait only the newest is written. */
  write(copy: LocalCopy, onFailure: (error: unknown) => void): void {
    const isWaiting = this.#next !== undefined
    this.#next = copy
    if (isWaiting) return
    this.#writing = this.#writing.then(async () => {
      const next = this.#next
      this.#next = undefined
      if (next !== undefined) await this.#write(next).catch(onFailure)
    })
  }

  /** Until all that was to be written has been. */
  async settled(): Promise<void> {
    await this.#writing
  }

  async #write(copy: LocalCopy): Promise<void> {
    const body = bytesFromText(JSON.stringify(copy))
    const bytes = Buffer.concat([bytesFromText(`${head}${checksum(body)}\n`), body])
    const folder = this.#path.includes('/') ? this.#path.slice(0, this.#path.lastIndexOf('/')) : '.'
    const fresh = `${this.#path}.new`
    if (folder !== '.') await this.#disk.makeDirectory(folder)
    const file = await this.#disk.open(fresh, { create: true })
    try {
      await file.truncate(0)
      await file.writeDurably(0, [bytes])
    } finally {
      await file.close()
    }
    await this.#disk.rename(fresh, this.#path)
    await this.#disk.syncDirectory(folder)
  }

  #decode(bytes: Uint8Array): LocalCopy {
    const end = bytes.indexOf(10)
    const first = end < 0 ? '' : Buffer.from(bytes.subarray(0, end)).toString('latin1')
    const body = bytes.subarray(end + 1)
    if (!first.startsWith(head)) throw this.#damaged('it does not begin as one')
    if (first.slice(head.length) !== checksum(body)) throw this.#damaged('its checksum does not fit')
    const { service, records, confirmedAtMs } = JSON.parse(textFromBytes(body)) as LocalCopy
    const whole = (record: ConfigRecord | undefined): ConfigRecord | undefined =>
      record === undefined ? undefined : decodeRecord(this.#path, bytesFromText(JSON.stringify(record)))
    return {
      service,
      records: { global: whole(records.global), service: whole(records.service) },
      confirmedAtMs,
    }
  }

  #damaged(why: string): AlthingError {
    return new AlthingError('corrupt', `the local copy ${this.#path} is not used: ${why}`, {
      details: { file: this.#path },
    })
  }
}

function checksum(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
