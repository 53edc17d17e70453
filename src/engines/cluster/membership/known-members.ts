import { crc32 } from 'node:zlib'
import { bytesFromText, textFromBytes } from '../../../base/bytes.ts'
import { AlthingError, asAlthingError } from '../../../contracts/errors.ts'
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

  /** Throws `corrupt` for a list that cannot be made out: who starts without one takes an emptied disk for the member that it was. */
  static async read(world: World, directory: string): Promise<KnownMembers> {
    const { disk } = world
    if (!(await disk.list(directory)).includes(fileName)) return new KnownMembers(world, directory, new Map())
    const file = `${directory}/${fileName}`
    return new KnownMembers(world, directory, decode(await disk.read(file)) ?? damaged(file))
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

function damaged(file: string): never {
  throw new AlthingError(
    'corrupt',
    `${file} is damaged. Nothing was changed. It says with which data folder each member came, so that none that has lost its disk votes on what it has forgotten. ` +
      'Where no other member has lost its disk, remove this file and start the node again: it is written anew',
    { details: { file, offset: 0 } },
  )
}
