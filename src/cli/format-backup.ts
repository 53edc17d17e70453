import type { BackupGroup, BackupManifest } from '../engines/cluster/backup/backup-format.ts'
import type { TakenBackup } from '../engines/cluster/backup/take-backup.ts'
import type { VerifiedGroup } from '../engines/cluster/backup/verify-backup.ts'
import type { TlsOptions } from '../world/tls-options.ts'
import { formatTime } from './format-time.ts'
import { securityFlags } from './security-flags.ts'

export function formatTaken(file: string, { manifest, groups, bytes }: TakenBackup): string {
  const head = `${file}: ${formatBytes(bytes)}, from node ${manifest.node} of ${manifest.clusterId}${notes(manifest)}\n`
  return head + groups.map(groupLine).join('')
}

export function formatVerified(
  file: string,
  manifest: BackupManifest,
  groups: readonly Omit<VerifiedGroup, 'state'>[],
): string {
  const head = `${file}: whole; taken ${formatTime(manifest.takenAtMs)} from node ${manifest.node} of ${manifest.clusterId}${notes(manifest)}\n`
  return head + groups.map(groupLine).join('')
}

/** A new cluster whose folders lie ready. */
export interface RestoredCluster {
  readonly clusterId: string
  /** As `--members` takes them. */
  readonly members: string
  readonly nodes: readonly { readonly id: number; readonly folder: string }[]
  /** How this command secures its connections: the cluster is thought to do so too. */
  readonly tls: TlsOptions | undefined
}

/** With the commands that start it: they are meant to be copied. */
export function formatRestored({ clusterId, members, nodes, tls }: RestoredCluster): string {
  const starts = nodes.map(
    ({ id, folder }) =>
      `  npx althing node --id ${id} --members ${members} --cluster ${clusterId} --data ${folder}${securityFlags(tls)}\n`,
  )
  return `The folders of the new cluster ${clusterId} are made. Start its members with:\n\n${starts.join('')}`
}

/** In the units that a person thinks in: `1.4 MiB`. */
export function formatBytes(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB']
  let value = bytes
  let unit = 0
  while (value >= 1_024 && unit < units.length - 1) {
    value /= 1_024
    unit++
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : Math.round(value * 10) / 10} ${units[unit]}`
}

function groupLine({ group, name, revision, keys, leases }: BackupGroup): string {
  return `  group ${group} (${name}): revision ${revision}, ${keys} keys, ${leases} leases\n`
}

function notes({ withoutAccess, serializable }: BackupManifest): string {
  const access = withoutAccess ? '; without users and tokens' : ''
  const quorum = serializable ? '; of one copy, not asked of a quorum: the last writes may be missing' : ''
  return access + quorum
}
