import { crc32 } from 'node:zlib'
import { invalidArgument, AlthingError } from '../../contracts/errors.ts'
import type { Disk } from '../../contracts/world.ts'
import type { NodeId } from '../../protocols/raft/types.ts'
import { bytesFromText, textFromBytes } from '../../base/bytes.ts'
import { corruptFile } from './failure-latch.ts'
import { clusterIdBytesMax } from './segment-header.ts'

/** Whose data a folder holds. Given once, at creation, and never changed. */
export interface StorageIdentity {
  /** 1..255 bytes of UTF-8. */
  readonly clusterId: string
  /** > 0. Never reused: a member that lost its folder comes back under a new one. */
  readonly nodeId: NodeId
  /** Drawn when the folder was made: tells a member's folder from one made anew under the same number. Absent in folders made before there were such. */
  readonly storageId?: string
}

const fileName = 'identity.json'
const formatVersion = 1

export function checkIdentity(identity: StorageIdentity): void {
  const bytes = bytesFromText(identity.clusterId).byteLength
  if (bytes < 1 || bytes > clusterIdBytesMax) {
    throw invalidArgument('clusterId', identity.clusterId, `a text of 1 to ${clusterIdBytesMax} bytes`)
  }
  if (!Number.isSafeInteger(identity.nodeId) || identity.nodeId < 1) {
    throw invalidArgument('nodeId', identity.nodeId, 'an integer > 0')
  }
}

/** `undefined` when the folder has none. Throws `corrupt`. */
export async function readIdentity(disk: Disk, directory: string): Promise<StorageIdentity | undefined> {
  if (!(await disk.list(directory)).includes(fileName)) return undefined
  const path = `${directory}/${fileName}`
  const bytes = await disk.read(path)
  try {
    const json = JSON.parse(textFromBytes(bytes)) as Record<string, unknown>
    const identity = {
      clusterId: json['clusterId'] as string,
      nodeId: json['nodeId'] as number,
      ...(json['storageId'] === undefined ? {} : { storageId: json['storageId'] as string }),
    }
    if (!Buffer.from(encode(identity)).equals(bytes)) throw new Error('its checksum or form is wrong')
    return identity
  } catch (error) {
    throw corruptFile(path, 0, error instanceof Error ? error.message : String(error))
  }
}

/** Durable when resolved. */
export async function writeIdentity(disk: Disk, directory: string, identity: StorageIdentity): Promise<void> {
  const path = `${directory}/${fileName}`
  const file = await disk.open(`${path}.tmp`, { create: true })
  try {
    await file.truncate(0)
    await file.writeDurably(0, [encode(identity)])
  } finally {
    await file.close()
  }
  await disk.rename(`${path}.tmp`, path)
  await disk.syncDirectory(directory)
}

/** Throws `conflict` unless the folder is that of `wanted`; which storage it is makes no difference. */
export function matchIdentity(directory: string, found: StorageIdentity, wanted: StorageIdentity): void {
  if (found.clusterId === wanted.clusterId && found.nodeId === wanted.nodeId) return
  throw new AlthingError(
    'conflict',
    `${directory} holds the data of node ${found.nodeId} of cluster "${found.clusterId}", not of node ${wanted.nodeId} of ` +
      `cluster "${wanted.clusterId}". Give this node a folder of its own`,
    { outcome: 'none', details: { ...found } },
  )
}

function encode(identity: StorageIdentity): Uint8Array {
  const body = JSON.stringify({
    format: formatVersion,
    clusterId: identity.clusterId,
    nodeId: identity.nodeId,
    ...(identity.storageId === undefined ? {} : { storageId: identity.storageId }),
  })
  const checksum = crc32(bytesFromText(body)).toString(16).padStart(8, '0')
  return bytesFromText(`${body.slice(0, -1)},"checksum":"${checksum}"}\n`)
}
