import { basename, dirname } from 'node:path'
import type { Command } from 'commander'
import { fileBytes } from '../engines/cluster/backup/backup-file.ts'
import { type VerifiedBackup, verifyBackup } from '../engines/cluster/backup/verify-backup.ts'
import { NodeLogger } from '../world/logger.ts'
import { createNodeWorld } from '../world/node-world.ts'
import { formatVerified } from './format-backup.ts'
import { print } from './output.ts'

/** `althing backup verify FILE` */
export function registerVerifyCommand(backup: Command): void {
  backup
    .command('verify')
    .argument('<file>', 'a backup; - reads standard input')
    .description('read a whole backup and check that it can be restored; exit code 1 when not')
    .option('--json', 'print JSON')
    // The option is the parent's too, which would keep it for itself.
    .action(async (file: string, _: unknown, command: Command) => {
      const { json } = command.optsWithGlobals<{ readonly json?: boolean }>()
      const { manifest, groups } = await readBackupFile(file)
      const shown = groups.map(({ state: _state, ...group }) => group)
      await print(json, { file, manifest, groups: shown }, formatVerified(file, manifest, shown))
    })
}

/** Rejects with `not-found`, `corrupt` (with file and offset) or `incompatible-peer`. */
export async function readBackupFile(file: string): Promise<VerifiedBackup> {
  if (file === '-') return verifyBackup(process.stdin as AsyncIterable<Uint8Array>, 'standard input')
  const { disk } = createNodeWorld({ dataFolder: dirname(file), logger: new NodeLogger('warn') })
  return verifyBackup(fileBytes(disk, basename(file)), file)
}
