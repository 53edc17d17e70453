import { crc32 } from 'node:zlib'
import { bytesFromText, textFromBytes } from '../../../base/bytes.ts'
import { asAlthingError } from '../../../contracts/errors.ts'
import type { World } from '../../../contracts/world.ts'
import type { NodeId } from '../../../protocols/raft/types.ts'

const fileName = 'known-members.json'
const formatVersion = 1

/**
 * Which data folder each member came with, as the cluster's records have said: kept beside the log, because after a start the records count only once a leader
 * has committed. Until then a member whose disk was emptied could otherwise vote on what it has forgotten.
 */
export class KnownMembers {
  readonly #world: World
  readonly #directory: string
  readonly #storageIds: Map<NodeId, string>
  #isWriting = false
  #isChanged = false

  private constructor(world: World, directory: string, storageIds: ReadonlyMap<NodeId, string>) {
    this.#world = world
    this.#directory = directory
    this.#storageIds = new Map(storageIds)
  }

  /** A file that cannot be made out counts as none: the log says it all again. */
  static async read(world: World, directory: string): Promise<KnownMembers> {
    const { disk, logger } = world
    if (!(await disk.list(directory)).includes(fileName)) return new KnownMembers(world, directory, new Map())
    const found = decode(await disk.read(`${directory}/${fileName}`))
    if (found === undefined)
      logger.log('warn', 'the list of known members is damaged: it is written anew', { file: fileName })
    return new KnownMembers(world, directory, found ?? new Map())
  }

  storageIdOf(id: NodeId): string | undefined {
    return this.#storageIds.get(id)
  }

  /** Takes what the records say; it is on the disk a little later. */
  note(members: Iterable<readonly [NodeId, string]>): void {
    for (const [id, storageId] of members) {
      if (this.#storageIds.get(id) === storageId) continue
      this.#storageIds.set(id, storageId)
      this.#isChanged = true
    }
    if (this.#isChanged && !this.#isWriting) void this.#write()
  }

  async #write(): Promise<void> {
    this.#isWriting = true
    try {
      while (this.#isChanged) {
        this.#isChanged = false
        await this.#writeOnce()
      }
    } catch (error) {
      // Written with the next change, or after the next start; a failing disk ends the node elsewhere.
      this.#isChanged = true
      const reason = asAlthingError(error).message
      this.#world.logger.log('warn', 'the list of known members was not written', { reason })
    } finally {
      this.#isWriting = false
    }
  }

  async #writeOnce(): Promise<void> {
    const { disk } = this.#world
    const path = `${this.#directory}/${fileName}`
    const file = await disk.open(`${path}.tmp`, { create: true })
    try {
      await file.truncate(0)
      await file.writeDurably(0, [encode(this.#storageIds)])
    } finally {
      await file.close()
    }
    await disk.rename(`${path}.tmp`, path)
    await disk.syncDirectory(this.#directory)
  }
}

function encode(storageIds: ReadonlyMap<NodeId, string>): Uint8Array {
  const members = [...storageIds].sort(([a], [b]) => a - b)
  const body = JSON.stringify({ format: formatVersion, members })
  const checksum = crc32(bytesFromText(body)).toString(16).padStart(8, '0')
  return bytesFromText(`${body.slice(0, -1)},"checksum":"${checksum}"}\n`)
}

function decode(bytes: Uint8Array): Map<NodeId, string> | undefined {
  try {
    const { members } = JSON.parse(textFromBytes(bytes)) as { members: [NodeId, string][] }
    const found = new Map(members)
    return Buffer.from(encode(found)).equals(bytes) ? found : undefined
  } catch {
    return undefined
  }
}
