import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { AlthingError, invalidArgument } from '../contracts/errors.ts'
import {
  clusterNameOf,
  newClusterId,
  planRestore,
  type RestorePlan,
  restoreNode,
} from '../engines/cluster/backup/restore-backup.ts'
import { bumpRevisionDefault } from '../engines/cluster/backup/restored-state.ts'
import { tlsOf } from '../node/client-security.ts'
import { storeDirectory } from '../node/data-folder.ts'
import { openNodeStorage } from '../replication/node-storage.ts'
import type { Member } from '../replication/peer-transport.ts'
import { NodeLogger } from '../world/logger.ts'
import { createNodeWorld } from '../world/node-world.ts'
import { wholeNumber } from './arguments.ts'
import { formatRestored } from './format-backup.ts'
import { parseMembers } from './node-command.ts'
import { print } from './output.ts'
import { withSlowProgress } from './progress.ts'
import { readBackupFile } from './verify-command.ts'

interface RestoreOptions {
  readonly data: string
  readonly members: string
  readonly cluster?: string
  readonly clusterId?: string
  readonly id?: string
  readonly group?: string
  readonly bumpRevision: string
  readonly json?: boolean
}

/** `althing restore FILE` */
export function registerRestoreCommand(program: Command): void {
  program
    .command('restore')
    .argument('<file>', 'a backup; - reads standard input')
    .description('make the data folders of a new cluster from a backup')
    .requiredOption('--data <folder>', 'where to make them: one folder a member, node-ID')
    .requiredOption('--members <list>', 'members of the new cluster: 1=127.0.0.1:7401,2=127.0.0.1:7402')
    .option('--cluster <name>', "the new cluster's name (default: that of the old one)")
    .option('--cluster-id <id>', 'its whole id, when folders are made on several machines')
    .option('--id <number>', "make only this member's folder; needs --cluster-id")
    .option('--group <number>', 'restore this group of the backup as the store of the new cluster')
    .option('--bump-revision <number>', 'raise the revision by so much', String(bumpRevisionDefault))
    .option('--json', 'print one JSON object')
    .action(restore)
}

async function restore(file: string, options: RestoreOptions): Promise<void> {
  const { timers, random } = createNodeWorld({ dataFolder: '.', logger: new NodeLogger('warn') })
  const members = parseMembers(options.members)
  const tls = tlsOf({})
  const chosen = membersToMake(members, options)
  const backup = await withSlowProgress(timers, 'Reading the backup', options.json !== true, () =>
    readBackupFile(file),
  )
  const old = backup.manifest.clusterId
  const clusterId = options.clusterId ?? newClusterId(options.cluster ?? clusterNameOf(old), random)
  if (clusterId === old)
    throw invalidArgument('--cluster-id', clusterId, 'another id than that of the old cluster')
  const plan = planRestore(backup, {
    members,
    bumpRevision: bumpOf(options.bumpRevision),
    ...(options.group === undefined ? {} : { group: wholeNumber('--group', options.group) }),
  })
  const folders = chosen.map(({ id }) => ({ id, folder: join(options.data, `node-${id}`) }))
  for (const { folder } of folders) requireNew(folder)
  for (const { id, folder } of folders)
    await withSlowProgress(timers, `Making ${folder}`, options.json !== true, () =>
      makeFolder(folder, clusterId, id, plan),
    )
  const groups = plan.groups.map(({ id, name, state }) => ({
    group: id,
    name,
    revision: state.keys.revision,
  }))
  await print(
    options.json,
    { clusterId, groups, nodes: folders },
    formatRestored({ clusterId, members: options.members, nodes: folders, tls }),
  )
}

function membersToMake(members: readonly Member[], { id, clusterId }: RestoreOptions): readonly Member[] {
  if (id === undefined) return members
  if (clusterId === undefined)
    throw new AlthingError(
      'invalid-argument',
      '--id needs --cluster-id: the id must be the same on every machine',
    )
  const number = wholeNumber('--id', id)
  const member = members.find((each) => each.id === number)
  if (member === undefined) throw invalidArgument('--id', number, 'one of --members')
  return [member]
}

function bumpOf(text: string): number {
  return text === '0' ? 0 : wholeNumber('--bump-revision', text)
}

/** Before the first folder is made: one that was made before would hold another new cluster. */
function requireNew(folder: string): void {
  if (!existsSync(join(folder, storeDirectory))) return
  const problem = `${folder} holds a node's data already: name another --data, or take that folder away`
  throw new AlthingError('conflict', problem, { outcome: 'none' })
}

async function makeFolder(
  folder: string,
  clusterId: string,
  nodeId: number,
  plan: RestorePlan,
): Promise<void> {
  const world = createNodeWorld({ dataFolder: folder, logger: new NodeLogger('warn') })
  const storage = await openNodeStorage(world, storeDirectory, { identity: { clusterId, nodeId } })
  try {
    await restoreNode(storage, nodeId, plan)
  } finally {
    await storage.close()
  }
}
