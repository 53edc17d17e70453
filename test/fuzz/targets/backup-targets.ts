import {
  type BackupGroup,
  backupHead,
  type BackupManifest,
  blockChecksum,
  blockHead,
  blockHeadBytes,
  backupHeadBytes,
} from '../../../src/engines/cluster/backup/backup-format.ts'
import { BackupWriter } from '../../../src/engines/cluster/backup/backup-writer.ts'
import { type VerifiedBackup, verifyBackup } from '../../../src/engines/cluster/backup/verify-backup.ts'
import { edited, sampleEdits } from '../edits.ts'
import { type FuzzTarget, PropertyViolation, refusal } from '../fuzz-target.ts'
import { filledModel } from './filled-model.ts'

const manifest: BackupManifest = {
  clusterId: 'fuzz',
  node: 1,
  version: '0.0.0',
  takenAtMs: 1_893_456_000_000,
  withoutAccess: false,
  serializable: false,
}

/** A backup that was changed on its way, and one that was made up with checksums that are right. */
export function backupTargets(): FuzzTarget[] {
  const valid = sampleBackup()
  return [damaged(valid), forged(valid)]
}

function sampleBackup(): Buffer {
  const model = filledModel()
  const group: BackupGroup = {
    group: 1,
    name: 'default',
    revision: model.revision,
    compactRevision: model.compactRevision,
    index: 40,
    keys: model.stats.keys,
    leases: model.stats.leases,
  }
  const writer = new BackupWriter()
  const parts = [...writer.begin(manifest), ...writer.beginGroup(group)]
  for (const chunk of model.snapshot()) parts.push(...writer.data(chunk))
  parts.push(...writer.endGroup(), ...writer.end())
  return Buffer.concat(parts)
}

async function verified(bytes: Buffer): Promise<VerifiedBackup> {
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += 700) yield bytes.subarray(at, at + 700)
  }
  return verifyBackup(chunks(), 'fuzz')
}

/** Nothing but the very bytes that were written is a backup. */
function damaged(valid: Buffer): FuzzTarget {
  const run = async (input: Buffer): Promise<string> => {
    const bytes = edited(valid, input)
    try {
      await verified(bytes)
    } catch (error) {
      return refusal(error, ['corrupt', 'incompatible-peer'])
    }
    if (!bytes.equals(valid))
      throw new PropertyViolation('checksum', 'a backup was accepted that nobody wrote')
    return 'accepted'
  }
  return { name: 'backup-file', area: 'snapshot', share: 1, seeds: sampleEdits(), inputBytesMax: 512, run }
}

/** An input is what the blocks hold: kind, length (2 bytes), data; the checksums are put in. */
function forged(valid: Buffer): FuzzTarget {
  const run = async (input: Buffer): Promise<string> => {
    try {
      const { groups } = await verified(sealed(input))
      return `accepted ${Math.min(groups.length, 3)}`
    } catch (error) {
      return refusal(error, ['corrupt', 'incompatible-peer'])
    }
  }
  const seeds = [unsealed(valid)]
  return { name: 'backup-forged', area: 'snapshot', share: 1, seeds, inputBytesMax: 8_192, run }
}

function unsealed(backup: Buffer): Buffer {
  const blocks: Buffer[] = []
  for (let at = backupHeadBytes; at < backup.length; ) {
    const length = backup.readUInt32LE(at)
    const head = Buffer.alloc(3)
    head[0] = backup[at + 4] as number
    head.writeUInt16LE(length, 1)
    blocks.push(head, backup.subarray(at + blockHeadBytes, at + blockHeadBytes + length))
    at += blockHeadBytes + length
  }
  return Buffer.concat(blocks)
}

function sealed(input: Buffer): Buffer {
  const parts: Uint8Array[] = [backupHead()]
  let checksum = 0
  for (let at = 0, number = 0; at + 3 <= input.length; number++) {
    const kind = input[at] as number
    const data = input.subarray(at + 3, at + 3 + input.readUInt16LE(at + 1))
    checksum = blockChecksum(number, kind, data, checksum)
    parts.push(blockHead(kind as 1, data, checksum), data)
    at += 3 + data.byteLength
  }
  return Buffer.concat(parts)
}
